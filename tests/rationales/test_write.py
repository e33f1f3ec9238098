"""Positive prompts show training targets, base prompts and trees never do; tables are ordered and complete."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.generation.fake_engine import FakeGenerator
from pulse_core.generation.journal import Writer
from pulse_core.generation.requests import Completion, Request
from pulse_core.keys import Key, keys
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.rationales.write import base_requests, neighbour_titles, positive_requests, write_rationales
from pulse_core.tree.grow import grow_trees
from pulse_core.tree.settings import TreeSettings
from tests.rationales.shop import make_shop

PROMPTS = Path(__file__).parents[2] / "config" / "prompts"
SETTINGS = RationaleSettings()


class RecordingGenerator(FakeGenerator):
    """The fake engine, recording every prompt."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        self.prompts += [message.content for request in requests for message in request.messages]
        return super().generate(requests)


def examples(*splits: str) -> pd.DataFrame:
    rows = [{"user": 0, "split": split, "position": 2, "history": [0, 1], "target": 5} for split in splits]
    return pd.DataFrame(rows)


def template(name: str) -> PromptTemplate:
    return PromptTemplate(PROMPTS / f"{name}.j2")


def test_positive_prompts_show_the_training_target_and_its_review(tmp_path: Path) -> None:
    generator = RecordingGenerator()
    frame = examples("train")
    requests = positive_requests(frame, make_shop(), template("positive"), SETTINGS, 1)
    table = write_rationales(frame, requests, Writer(generator, tmp_path, 4), "test")
    assert any("TARGETWORD" in prompt and "REVIEWWORD" in prompt for prompt in generator.prompts)
    assert table.num_rows == 1 and table["model"].to_pylist() == ["fake"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_positive_prompts_refuse_other_targets(split: str) -> None:
    with pytest.raises(InputError, match="only training examples"):
        positive_requests(examples("train", split), make_shop(), template("positive"), SETTINGS, 1)


def write_base(frame: pd.DataFrame, near: dict[Key, list[int]], writer: Writer) -> pd.DataFrame:
    requests = base_requests(frame, near, make_shop(), template("base"), SETTINGS, 1)
    return write_rationales(frame, requests, writer, "test").to_pandas()


def test_base_prompts_and_trees_never_show_the_target(tmp_path: Path) -> None:
    generator = RecordingGenerator()
    writer = Writer(generator, tmp_path, 4)
    frame = examples("train", "validation", "test")
    near = {key: [2, 3, 4] for key in keys(frame)}
    base = write_base(frame, near, writer)
    tree = grow_trees(
        frame,
        base,
        near,
        make_shop(),
        template("tree_refine"),
        TreeSettings(branching=[3, 2]),
        SETTINGS,
        1,
        writer,
    )
    assert generator.prompts and not any("TARGETWORD" in text or "REVIEWWORD" in text for text in generator.prompts)
    assert any("Mint Balm" in text for text in generator.prompts), "the neighbours' items are missing"
    nodes = tree.to_pandas()
    assert nodes.groupby("split").size().to_dict() == dict.fromkeys(("train", "validation", "test"), 1 + 3 + 6)
    test_nodes = nodes[nodes["split"] == "test"]
    assert test_nodes["parent"].tolist() == [-1, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert test_nodes["is_leaf"].sum() == 6 and test_nodes["depth"].tolist() == [0] + [1] * 3 + [2] * 6


def test_texts_do_not_depend_on_the_other_examples(tmp_path: Path) -> None:
    """Growing the sample keeps the texts of the users already in it (seeds come from keys, not from rows)."""
    few, many = examples("test"), examples("train", "test")
    near = {key: [2, 3] for key in keys(many)}
    writer = Writer(RecordingGenerator(), tmp_path, 4)
    texts = [write_base(frame, near, writer).set_index("split").loc["test", "rationale"] for frame in (few, many)]
    assert texts[0] == texts[1]


def test_neighbour_titles_are_ordered_and_distinct() -> None:
    settings = RationaleSettings(neighbour_items=2, title_chars=40)
    assert neighbour_titles(make_shop(), [2, 2, 3, 4], settings) == ["Mint Balm", "Silk Sleep Mask"]


def test_branching_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"expected one positive number per level"):
        TreeSettings(branching=[3, 0])
