"""What the plan knows of a domain: counted from its tables where they are, made up from assumed sizes where not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pulse_core.config import Config
from pulse_core.data.settings import SplitSettings
from pulse_core.keys import KEY, Key, keys
from pulse_core.planning.counting import filler
from pulse_core.planning.settings import PlanSettings, SizeSettings
from pulse_core.rationales.texts import Opinion, Shop

BACK = {"train": 3, "validation": 2, "test": 1}  # leave-one-out: a split's target counted from the end
CATALOGUE = 2000  # made-up items are no more than these: enough to draw prompts from


@dataclass(frozen=True)
class DomainData:
    """One domain. Histories and candidates are those of a sample; `examples` counts all."""

    name: str
    size: SizeSettings
    examples: Mapping[str, int]  # split -> sampled examples
    sample: pd.DataFrame  # examples of all splits, of which prompts are made
    train_sample: pd.DataFrame
    candidates: pd.DataFrame
    neighbours: Mapping[Key, list[int]]
    shop: Shop
    notes: tuple[str, ...] = ()
    answers: Mapping[str, float] = field(default_factory=dict)  # stage -> mean tokens of its finished texts

    @property
    def total(self) -> int:
        """Examples of all splits."""
        return sum(self.examples.values())


def spread(examples: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows, evenly from the whole table, in its order."""
    if len(examples) <= count:
        return examples.reset_index(drop=True)
    return examples.iloc[np.linspace(0, len(examples) - 1, count).round().astype(int)].reset_index(drop=True)


def made_up_items(examples: pd.DataFrame, items: int, count: int) -> pd.Series:
    """For each example `count` items of the catalogue, drawn evenly: stands for neighbours' items or candidates."""
    draw = np.random.default_rng(0)
    return pd.Series([draw.integers(0, items, count).tolist() for _ in range(len(examples))], dtype=object)


def with_target(examples: pd.DataFrame, items: int, count: int) -> pd.DataFrame:
    """A table of made-up candidates, the target first."""
    others = made_up_items(examples, items, count - 1)
    drawn = [[target, *rest] for target, rest in zip(examples["target"], others, strict=True)]
    return examples[KEY].assign(candidates=drawn)


def neighbours_of(examples: pd.DataFrame, items: int, count: int) -> dict[Key, list[int]]:
    """Made-up items of similar users."""
    return dict(zip(keys(examples), made_up_items(examples, items, count), strict=True))


def expected_examples(size: SizeSettings, split: SplitSettings) -> dict[str, int]:
    """Sampled examples of each split, if every user has one in each (so after a 5-core filter and leave-one-out)."""
    limits = {name: getattr(split.sample_users, name) for name in BACK}
    counts = {name: size.users if limit is None else min(limit, size.users) for name, limit in limits.items()}
    earlier = min(split.examples_per_user, max(1, size.interactions // size.users - BACK["train"]))
    return {**counts, "train": counts["train"] * earlier}


def sequence_lengths(size: SizeSettings, shortest: int, count: int) -> np.ndarray:
    """`count` lengths of users' sequences: geometric above the filter's `shortest`, with the domain's mean, taken at
    even quantiles."""
    above = max(size.interactions / size.users - shortest, 0.0)
    quantiles = (np.arange(count) + 0.5) / count
    spread_out = np.log1p(-quantiles) / np.log(above / (above + 1)) if above else np.zeros(count)
    return (shortest + np.floor(spread_out)).astype(int)


def made_up_domain(name: str, size: SizeSettings, config: Config, notes: tuple[str, ...]) -> DomainData:
    """A domain of which only the size is known: items, histories and reviews of the assumed lengths."""
    plan = config.plan
    draw = np.random.default_rng(0)
    items = min(size.items, CATALOGUE)
    rows = []
    lengths = draw.permutation(sequence_lengths(size, config.corpus.k_core, plan.sample))
    for user, length in enumerate(lengths):
        for split, back in BACK.items():
            history = draw.integers(0, items, max(1, min(length - back, config.split.max_history)))
            rows.append((user, split, int(length - back), history, int(draw.integers(0, items)), True))
    examples = pd.DataFrame(rows, columns=[*KEY, "history", "target", "sampled"]).sort_values(KEY, ignore_index=True)
    sample, train = spread(examples, plan.sample), examples[examples["split"] == "train"].reset_index(drop=True)
    return DomainData(
        name=name,
        size=size,
        examples=expected_examples(size, config.split),
        sample=sample,
        train_sample=train,
        candidates=with_target(sample, items, config.candidates.count),
        neighbours=neighbours_of(sample, items, config.neighbours.items),
        shop=_made_up_shop(items, examples, plan),
        notes=notes,
    )


def _made_up_shop(items: int, examples: pd.DataFrame, plan: PlanSettings) -> Shop:
    titles = [f"{item} {filler(plan.title_chars)}"[: plan.title_chars] for item in range(items)]
    words = filler(plan.review_chars) if plan.review_chars else ""
    bought = {
        (user, int(item))
        for user, history, target in zip(examples["user"], examples["history"], examples["target"], strict=True)
        for item in (*history, target)
    }
    opinions = {pair: Opinion(5.0, words) for pair in bought}
    return Shop(pd.DataFrame({"item": range(items), "title": titles}), opinions)
