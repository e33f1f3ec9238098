"""Popularity and brand repeat by hand on six items, and on real purchases where available."""

import gzip
import html
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pulse_core.baselines.domain import Domain, Examples, make_domain, predictions
from pulse_core.baselines.floors import brand_keys, brand_repeat_scores, popularity_scores
from pulse_core.evaluation.metrics import target_ranks
from pulse_core.keys import KEY
from pulse_core.rank_metrics import hit_at_1

REAL = Path(os.environ.get("PULSE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


def interactions_of(sequences: dict[int, list[int]]) -> pd.DataFrame:
    rows = [(user, item, time) for user, items in sequences.items() for time, item in enumerate(items)]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    return frame.assign(row=range(len(frame)))


def examples_of(sequences: dict[int, list[int]]) -> pd.DataFrame:
    rows = [
        (user, split, len(items) - back, items[: len(items) - back], items[-back], True)
        for user, items in sequences.items()
        for split, back in (("test", 1), ("validation", 2), ("train", 3))
        if len(items) > back
    ]
    return pd.DataFrame(rows, columns=["user", "split", "position", "history", "target", "sampled"])


SEQUENCES = {0: [0, 1, 2, 3], 1: [1, 0, 4, 5], 2: [1, 5, 3, 2]}
ITEMS = pd.DataFrame(
    {
        "item": range(6),
        "title": ["Rose Soap", "Acme balm", "ROSE oil", "!!! Acme, jar", "B0004", "Mint tea"],
        "has_title": [True, True, True, True, False, True],
        "brand": ["", " ACME ", None, "", "", "Rose"],
    }
)


def domain_of(sequences: dict[int, list[int]], examples: pd.DataFrame, items: int) -> Domain:
    candidates = examples[KEY].assign(candidates=[np.arange(items)] * len(examples))
    return make_domain(interactions_of(sequences), examples, candidates, items)


def test_popularity_counts_no_held_out_target() -> None:
    domain = domain_of(SEQUENCES, examples_of(SEQUENCES), 6)
    assert popularity_scores(domain, domain.test)[0].tolist() == [2, 3, 0, 0, 0, 1]  # each user's first two purchases


def test_popularity_under_a_global_cut() -> None:
    """A user with only training examples counts up to the last training target, one without examples not at all."""
    examples = examples_of(SEQUENCES)
    examples = examples[(examples["user"] != 2) & ~((examples["user"] == 1) & (examples["split"] != "train"))]
    assert domain_of(SEQUENCES, examples, 6).popularity.tolist() == [2, 2, 0, 0, 0, 0]


def test_brand_or_first_title_word_or_nothing() -> None:
    assert brand_keys(ITEMS).tolist() == ["rose", "acme", "rose", "acme", "", "rose"]


def test_scores_by_hand() -> None:
    test = Examples("test", [(0, "test", 3)], [np.array([0, 2, 1, 4])], np.array([5]), np.array([[5, 3, 4]]))
    domain = Domain(6, [np.array([3] * 9 + [4] * 9 + [5])], test, test, test)
    # Brands in the history: rose twice, acme once; item 4's missing brand matches nothing. Popularity: 0, 1, 1.
    assert brand_repeat_scores(domain, brand_keys(ITEMS), test).tolist() == [[2 * 3 + 0, 1 * 3 + 1, 0 * 3 + 1]]
    assert popularity_scores(domain, test).tolist() == [[1, 9, 9]]  # equal counts stay tied


def test_schema_order_and_held_out_rows_only() -> None:
    domain = domain_of(SEQUENCES, examples_of(SEQUENCES).sample(frac=1, random_state=1), 6)
    table = predictions(lambda part: popularity_scores(domain, part), domain)
    assert table.schema.names == ["user", "split", "candidates", "scores"]
    assert list(zip(table["user"].to_pylist(), table["split"].to_pylist(), strict=True)) == [
        (user, split) for user in range(3) for split in ("test", "validation")
    ]


@pytest.mark.skipif(not (REAL / "luxury").exists(), reason=f"REAL DATA ABSENT: no {REAL / 'luxury'} (PULSE_REAL_DATA)")
def test_floors_on_real_luxury_beauty() -> None:
    """HR@1 of ten on real purchases: brand repeat .42, popularity .107, measured independently of this code."""
    with gzip.open(REAL / "luxury" / "reviews.jsonl.gz", "rt") as lines:
        rows = pd.DataFrame([{key: json.loads(line)[key] for key in ("reviewerID", "asin")} for line in lines])
    rows = rows.assign(row=range(len(rows)), timestamp=np.nan).drop_duplicates(["reviewerID", "asin"])
    before = 0
    while before != len(rows):
        before = len(rows)
        for column in ("reviewerID", "asin"):
            rows = rows[rows.groupby(column)["row"].transform("size") >= 5]
    assert (rows["reviewerID"].nunique(), rows["asin"].nunique(), len(rows)) == (2028, 936, 20050)
    interactions = rows.assign(user=rows["reviewerID"].rank(method="dense").astype(int) - 1)
    interactions["item"] = rows["asin"].rank(method="dense").astype(int) - 1
    with gzip.open(REAL / "luxury" / "metadata.jsonl.gz", "rt") as lines:
        titles = {row["asin"]: html.unescape(row.get("title") or "") for row in map(json.loads, lines)}
    names = [titles.get(asin, "") for asin in sorted(rows["asin"].unique())]
    items = pd.DataFrame({"item": range(936), "title": names, "has_title": [name != "" for name in names], "brand": ""})
    examples = examples_of({user: group["item"].tolist() for user, group in interactions.groupby("user")})
    generator = np.random.default_rng(0)
    bought = {user: set(group["item"]) for user, group in interactions.groupby("user")}
    candidates = examples[KEY].assign(
        candidates=[
            [target, *generator.choice(sorted(set(range(936)) - bought[user]), 9, replace=False)]
            for user, target in zip(examples["user"], examples["target"], strict=True)
        ]
    )
    domain = make_domain(interactions.sort_values(["user", "row"]), examples, candidates, 936)
    for scores, expected in (
        (popularity_scores(domain, domain.test), 0.11),
        (brand_repeat_scores(domain, brand_keys(items), domain.test), 0.43),
    ):
        ranks = target_ranks(domain.test.candidates, scores, domain.test.targets)
        assert hit_at_1(ranks).mean() == pytest.approx(expected, abs=0.03)
