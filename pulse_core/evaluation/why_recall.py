"""why_recall: how often the selected rationale names the planted driver of the target purchase.

Only synthetic corpora have planted drivers, and only the evaluation may read them.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import estimates
from pulse_core.evaluation.schema import WhyRecall
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import paired_bootstrap
from pulse_core.keys import KEY
from pulse_core.seeding import derive_seed

SPACES = re.compile(r"[\s\-\u2010-\u2015]+")


def normalise(text: str) -> str:
    """Case, hyphens and white space unified: `Fragrance-Free` becomes `fragrance free`."""
    return SPACES.sub(" ", text.casefold().replace("\u2019", "'")).strip()


def driver_patterns(phrases: Mapping[str, Sequence[str]]) -> dict[str, re.Pattern[str]]:
    """driver -> a pattern that matches any phrase naming it, as whole words, in normalised text."""
    alternatives = {
        driver: "|".join(re.escape(text) for text in sorted(map(normalise, named))) for driver, named in phrases.items()
    }
    return {driver: re.compile(rf"(?<!\w)(?:{texts})(?!\w)") for driver, texts in alternatives.items()}


def why_recall(
    selected: pd.DataFrame,
    tree: pd.DataFrame,
    examples: pd.DataFrame,
    truth: pd.DataFrame,
    phrases: Mapping[str, Sequence[str]],
    users: pd.DataFrame,
    items: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
) -> WhyRecall:
    """Measure the selected rationale, a random leaf and the base rationale of the sampled test examples.

    Args:
        tree: (user, split, position, parent, rationale, is_leaf, ...); parent -1 marks the base rationale.
        truth: (user_id, item_id, driver): the driver of every purchase, missing if none was planted.
        phrases: driver -> phrases that name it.
        users, items: the corpus tables that map user_id and item_id to codes.

    Raises:
        InputError: no purchase has a driver, or an example lacks a rationale, base or leaf.
    """
    patterns = driver_patterns(phrases)
    tested = examples[(examples["split"] == "test") & examples["sampled"].astype(bool)]
    drivers = _drivers(tested, truth, users, items)
    if drivers.empty:
        raise InputError("truth.parquet: no sampled test purchase has a driver; is it of another corpus?")
    keys = drivers.index
    chosen = _named(selected, keys, patterns, "selected").to_numpy()
    base = _named(tree[tree["parent"] == -1], keys, patterns, "tree (base rationale)").to_numpy()
    leaves = _named(tree[tree["is_leaf"].astype(bool)], keys, patterns, "tree (leaves)", several=True)
    own = np.array([list(patterns).index(driver) for driver in drivers])  # column of each example's driver
    rows = np.arange(len(keys))
    frequency = np.bincount(own, minlength=len(patterns)).astype(np.float64)
    others = (frequency[None, :] - np.eye(len(patterns))[own]) / max(len(keys) - 1, 1)  # (examples, drivers)
    values = {
        "selected": chosen[rows, own],
        "random_leaf": leaves.groupby(level=KEY).mean().to_numpy()[rows, own],
        "base": base[rows, own],
        "best_leaf": leaves.groupby(level=KEY).max().to_numpy()[rows, own],
        "selected_other_driver": (chosen * others).sum(axis=1),
    }
    figures = estimates(np.stack(list(values.values()), axis=1), settings, derive_seed(seed, "why_recall"))
    bootstrap_seed = derive_seed(seed, "why_recall", "paired")
    return WhyRecall(
        examples=len(keys),
        without_driver=len(tested) - len(keys),
        selected_less_random_leaf=paired_bootstrap(values["selected"], values["random_leaf"], settings, bootstrap_seed),
        selected_less_base=paired_bootstrap(values["selected"], values["base"], settings, bootstrap_seed),
        **dict(zip(values, figures, strict=True)),
    )


def _drivers(tested: pd.DataFrame, truth: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame) -> pd.Series:
    """The driver of each test purchase that has one, indexed and sorted by KEY."""
    known = truth[truth["driver"].notna() & (truth["driver"] != "")]
    # A duplicated review is one purchase; its driver is the first by name, whatever the order of rows.
    known = known.sort_values(["user_id", "item_id", "driver"]).drop_duplicates(["user_id", "item_id"])
    coded = known.merge(users[["user", "user_id"]], on="user_id").merge(items[["item", "item_id"]], on="item_id")
    coded = coded.rename(columns={"item": "target"})[["user", "target", "driver"]]
    return tested[[*KEY, "target"]].merge(coded, on=["user", "target"]).set_index(KEY)["driver"].sort_index()


def _named(
    texts: pd.DataFrame, keys: pd.MultiIndex, patterns: Mapping[str, re.Pattern[str]], file: str, several: bool = False
) -> pd.DataFrame:
    """Which drivers each rationale of `keys` names: 0/1, one column per driver, rows indexed and sorted by KEY."""
    indexed = texts.set_index(KEY)["rationale"].sort_index()
    rationales = indexed[indexed.index.isin(keys)].fillna("").map(normalise)
    found = rationales.index.unique() if several else rationales.index
    if found.tolist() != keys.tolist():
        wanted = "a rationale" if several else "one rationale"
        raise InputError(f"{file}: each sampled test example should have {wanted}; make that file again")
    names = {driver: [pattern.search(text) is not None for text in rationales] for driver, pattern in patterns.items()}
    return pd.DataFrame(names, index=rationales.index, dtype=np.float64)
