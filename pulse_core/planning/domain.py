"""What the plan knows of a domain: its corpus where it is built, one made up from its size where not.

Either way the stages' own code makes the examples and tells the texts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulse_core.config import Config
from pulse_core.data.examples import SPLITS, make_examples
from pulse_core.keys import KEY, Key, keys
from pulse_core.plan_settings import SizeSettings
from pulse_core.planning.counting import filler
from pulse_core.texts import Shop, load_shop

USERS, ITEMS = 1000, 2000  # a made-up corpus has no more than these: enough to draw prompts from
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class DomainData:
    """One domain. Texts are made of samples; `examples` counts all."""

    name: str
    size: SizeSettings
    examples: Mapping[str, int]  # split -> sampled examples
    sample: pd.DataFrame  # examples of all splits, of which prompts are made
    train_sample: pd.DataFrame
    candidates: pd.DataFrame
    neighbours: Mapping[Key, list[int]]
    shop: Shop
    notes: tuple[str, ...]
    answers: Mapping[str, float]  # stage -> mean tokens of its finished texts

    @property
    def total(self) -> int:
        """Examples of all splits."""
        return sum(self.examples.values())


def make_domain(
    name: str,
    size: SizeSettings,
    config: Config,
    corpus: Tables,
    finished: Tables | None,
    notes: tuple[str, ...],
    answers: Mapping[str, float],
) -> DomainData:
    """A domain from its corpus.

    Args:
        name: of the domain.
        size: of the domain; a corpus of fewer users stands for so many.
        config: the configuration planned for.
        corpus: the tables `users`, `items`, `interactions`, `reviews`.
        finished: the tables `candidates` and `neighbours`, each where its stage has run; None if the corpus is made up.
        notes: lines for the reader of the plan.
        answers: stage -> mean tokens of its finished texts.
    """
    ids = corpus["users"].sort_values("user")["user_id"].tolist()
    everyone = make_examples(corpus["interactions"], config.split, config.seed, ids).sort_values(KEY)
    examples = everyone[everyone["sampled"]]
    counts = {}
    for split in SPLITS:
        limit = getattr(config.split.sample_users, split) or math.inf
        here = everyone.loc[everyone["split"] == split, "user"].nunique()
        share = min(limit, here * size.users / len(ids)) / min(limit, here)
        counts[split] = round(share * int((examples["split"] == split).sum()))
    sample = spread(examples, config.plan.sample)
    draw, tables = np.random.default_rng(0), {}
    for table, column, count in (
        ("candidates", "candidates", config.candidates.count),
        ("neighbours", "items", config.neighbours.items),
    ):
        tables[table] = sample[KEY].merge(finished[table], on=KEY) if finished and table in finished else sample[:0]
        if len(tables[table]) < len(sample):
            items = draw.choice(corpus["items"]["item"], (len(sample), count)).tolist()
            tables[table] = sample[KEY].assign(**{column: items})
            if finished is not None:
                notes = (*notes, f"{name}: {table} drawn for the plan (their stage has not run for these examples)")
    return DomainData(
        name=name,
        size=size,
        examples=counts,
        sample=sample,
        train_sample=spread(examples[examples["split"] == "train"], config.plan.sample),
        candidates=tables["candidates"],
        neighbours=dict(zip(keys(tables["neighbours"]), map(list, tables["neighbours"]["items"]), strict=True)),
        shop=load_shop(corpus["items"], corpus["interactions"], corpus["reviews"]),
        notes=notes,
        answers=answers,
    )


def made_up_corpus(size: SizeSettings, config: Config) -> dict[str, pd.DataFrame]:
    """Tables of which only the size is known: sequences as long as their users', items and times drawn evenly, titles
    and reviews of the assumed lengths."""
    plan, draw = config.plan, np.random.default_rng(0)
    users, items = min(size.users, USERS), min(size.items, ITEMS)
    user = np.repeat(np.arange(users), draw.permutation(sequence_lengths(size, config.corpus.k_core, users)))
    bought = pd.DataFrame({"user": user, "item": draw.integers(0, items, len(user)), "rating": 5.0})
    bought["timestamp"] = draw.integers(0, 10**9, len(user))
    bought = bought.sort_values(["user", "timestamp"], ignore_index=True)
    titles = [f"{item} {filler(plan.title_chars)}"[: plan.title_chars] for item in range(items)]
    return {
        "users": pd.DataFrame({"user": range(users), "user_id": [f"user {user}" for user in range(users)]}),
        "items": pd.DataFrame({"item": range(items), "title": titles}),
        "interactions": bought,
        "reviews": bought.assign(summary=filler(plan.review_chars) if plan.review_chars else "", text=""),
    }


def sequence_lengths(size: SizeSettings, shortest: int, count: int) -> np.ndarray:
    """`count` lengths of users' sequences: geometric above the filter's `shortest`, with the domain's mean, taken at
    even quantiles."""
    above = max(size.interactions / size.users - shortest, 0.0)
    quantiles = (np.arange(count) + 0.5) / count
    spread_out = np.log1p(-quantiles) / np.log(above / (above + 1)) if above else np.zeros(count)
    return (shortest + np.floor(spread_out)).astype(int)


def spread(examples: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows, evenly from the whole table, in its order."""
    if len(examples) <= count:
        return examples.reset_index(drop=True)
    return examples.iloc[np.linspace(0, len(examples) - 1, count).round().astype(int)].reset_index(drop=True)
