"""The data of a domain: its corpus if it has been built, otherwise a random one of the expected size.

In both cases the pipeline's own code makes the examples and the texts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pulse_core.config import Config
from pulse_core.data.examples import SPLITS, make_examples
from pulse_core.keys import KEY
from pulse_core.plan_settings import SizeSettings
from pulse_core.texts import Shop, load_shop

USERS, ITEMS = 1000, 2000  # maximum size of a random corpus; counts are scaled up


@dataclass(frozen=True)
class DomainData:
    """One domain: counts of all examples, and a sample to build texts from."""

    name: str
    size: SizeSettings
    examples: Mapping[str, int]  # split -> examples that the language-model stages use
    sample: pd.DataFrame  # with columns of random `candidates` and `neighbours`
    train_sample: pd.DataFrame
    shop: Shop
    note: str  # where the size comes from
    answer_tokens: Mapping[str, float] = field(default_factory=dict)  # stage -> mean tokens of its finished texts

    @property
    def total(self) -> int:
        """Examples of all splits."""
        return sum(self.examples.values())


def make_domain(
    name: str,
    size: SizeSettings,
    config: Config,
    corpus: Mapping[str, pd.DataFrame],
    note: str,
    answer_tokens: Mapping[str, float],
) -> DomainData:
    """A domain from the tables of its corpus; counts are scaled up to `size` if that has more users."""
    ids = corpus["users"].sort_values("user")["user_id"].tolist()
    all_examples = make_examples(corpus["interactions"], config.split, config.seed, ids).sort_values(KEY)
    examples = all_examples[all_examples["sampled"]]
    counts = {}
    for split in SPLITS:
        limit = getattr(config.split.sample_users, split) or math.inf
        users = all_examples.loc[all_examples["split"] == split, "user"].nunique()
        scale = min(limit, users * size.users / len(ids)) / min(limit, users) if users else 0
        counts[split] = round(scale * int((examples["split"] == split).sum()))
    sample, draw = spread(examples, config.plan.sample), np.random.default_rng(0)
    for column, count in (("candidates", config.candidates.count), ("neighbours", config.neighbours.items)):
        sample[column] = draw.choice(corpus["items"]["item"], (len(sample), count)).tolist()
    train_sample = spread(examples[examples["split"] == "train"], config.plan.sample)
    shop = load_shop(corpus["items"], corpus["interactions"], corpus["reviews"])
    return DomainData(name, size, counts, sample, train_sample, shop, note, answer_tokens)


def placeholder_corpus(size: SizeSettings, config: Config) -> dict[str, pd.DataFrame]:
    """Tables of the expected size: sequence lengths from a geometric distribution above the filter's minimum, items and
    times drawn uniformly, titles and reviews of the assumed lengths."""
    plan, draw = config.plan, np.random.default_rng(0)
    users, items = min(size.users, USERS), min(size.items, ITEMS)
    shortest = config.corpus.k_core
    mean_excess = max(size.interactions / size.users - shortest, 0.0)
    user = np.repeat(np.arange(users), shortest - 1 + draw.geometric(1 / (1 + mean_excess), users))
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


def spread(examples: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows at even distances, in order."""
    rows = np.linspace(0, len(examples) - 1, min(count, len(examples))).round().astype(int)
    return examples.iloc[rows].reset_index(drop=True)


def filler(characters: int) -> str:
    """Filler text of this length, in words of realistic length."""
    words = "of a red tin and an old cup to go in it "
    return (words * (characters // len(words) + 1))[: max(characters, 1)].strip()
