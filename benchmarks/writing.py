"""The workload of the generation benchmarks: base rationales and trees of a small shop, as the stages write them
(prompts, journal, sampling, cleaning, Parquet) with the settings of the embedded default."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmarks.embedded import embedded_config, titles
from pulse_core.artifacts import write_table
from pulse_core.generation.journal import Writer
from pulse_core.generation.requests import Request, TextGenerator
from pulse_core.keys import Key
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.write import base_requests as requests_for
from pulse_core.rationales.write import write_rationales
from pulse_core.texts import Shop, load_shop
from pulse_core.tree.grow import grow_trees
from pulse_core.tree.settings import TreeSettings

PROMPTS = Path(__file__).resolve().parents[1] / "config/prompts"
ITEMS, HISTORY, NEIGHBOURS = 200, 5, 6


@dataclass(frozen=True)
class Users:
    """Examples, items of their neighbours, and the shop."""

    examples: pd.DataFrame
    neighbour_items: dict[Key, list[int]]
    shop: Shop


def users(count: int, first: int = 0) -> Users:
    """`count` users, numbered from `first`, with five rated purchases and two-word reviews."""
    numbers = range(first, first + count)
    histories = [[(7 * user + 3 * i) % ITEMS for i in range(HISTORY)] for user in numbers]
    bought = pd.DataFrame({"user": list(numbers), "item": histories}).explode("item", ignore_index=True)
    reviews = bought.assign(summary="works well", text="")
    shop = load_shop(
        pd.DataFrame({"item": range(ITEMS), "title": titles(0, ITEMS)}), bought.assign(rating=4.0), reviews
    )
    examples = pd.DataFrame({"user": numbers, "split": "test", "position": HISTORY, "history": histories})
    neighbours = {(user, "test", HISTORY): [(11 * user + 5 * i) % ITEMS for i in range(NEIGHBOURS)] for user in numbers}
    return Users(examples, neighbours, shop)


def write_base(generator: TextGenerator, chosen: Users, work: Path) -> pa.Table:
    """The base rationales' stage, with journal and table in `work`."""
    writer = Writer(generator, work / "journal", embedded_config().generation.chunk_prompts)
    table = write_rationales(chosen.examples, base_requests(chosen), writer, "base rationales")
    write_table(work / "base.parquet", table)
    return table


def write_trees(generator: TextGenerator, chosen: Users, branching: list[int], work: Path) -> pa.Table:
    """The stage of trees over one sentence per user; roots are not generated, so their tokens do not count."""
    config = embedded_config()
    settings: TreeSettings = config.tree.model_copy(update={"branching": branching})
    writer = Writer(generator, work / "journal", config.generation.chunk_prompts)
    roots = chosen.examples.assign(
        rationale="First Silk Sleep Mask: looks for gentle care.", mean_logprob=0.0, tokens=0, seed=0
    )
    table = grow_trees(
        chosen.examples, roots, chosen.neighbour_items, chosen.shop, PromptTemplate(PROMPTS / "tree_refine.j2"),
        settings, config.rationales, config.seed, writer,
    )  # fmt: skip
    write_table(work / "tree.parquet", table)
    return table


def tokens_per_second(write: Callable[[Path], pa.Table]) -> float:
    """New tokens per second of a stage with an empty journal."""
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        table = write(Path(place))
        seconds = time.perf_counter() - started
    return sum(table["tokens"].to_pylist()) / seconds


def base_requests(chosen: Users) -> list[Request]:
    """The requests of `write_base`."""
    config = embedded_config()
    return requests_for(
        chosen.examples, chosen.neighbour_items, chosen.shop, PromptTemplate(PROMPTS / "base.j2"), config.rationales,
        config.seed,
    )  # fmt: skip
