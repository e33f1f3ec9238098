"""Popularity and brand repeat by hand on six items, and on real purchases where available."""

import gzip
import html
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pulse_core.baselines.brand_repeat import brand_keys, brand_repeat_predictions
from pulse_core.baselines.popularity import popularity_predictions, training_popularity
from pulse_core.errors import InputError
from pulse_core.evaluation.predictions import aligned_ranks
from pulse_core.evaluation.tables import predictions_table
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


def test_popularity_counts_no_held_out_target() -> None:
    counts = training_popularity(interactions_of(SEQUENCES), examples_of(SEQUENCES))
    assert counts.to_dict() == {0: 2, 1: 3, 5: 1}  # the first two purchases of each user


def test_popularity_under_a_global_cut() -> None:
    """A user with only training examples counts up to the last training target, one without examples not at all."""
    examples = examples_of(SEQUENCES)
    examples = examples[(examples["user"] != 2) & ~((examples["user"] == 1) & (examples["split"] != "train"))]
    counts = training_popularity(interactions_of(SEQUENCES), examples)
    assert counts.to_dict() == {0: 2, 1: 2}


def test_popularity_does_not_depend_on_row_order() -> None:
    rows = interactions_of(SEQUENCES).assign(timestamp=7)  # all tied: the original order decides
    shuffled = rows.sample(frac=1, random_state=3)
    expected = training_popularity(rows, examples_of(SEQUENCES))
    pd.testing.assert_series_equal(training_popularity(shuffled, examples_of(SEQUENCES)), expected)


def test_brand_or_first_title_word_or_nothing() -> None:
    assert brand_keys(ITEMS).to_dict() == {0: "rose", 1: "acme", 2: "rose", 3: "acme", 4: "", 5: "rose"}


def test_predictions_by_hand() -> None:
    examples = pd.DataFrame(
        {"user": [0], "split": ["test"], "position": [3], "history": [[0, 2, 1, 4]], "target": [5], "sampled": [True]}
    )
    candidates = pd.DataFrame({"user": [0], "split": ["test"], "position": [3], "candidates": [[5, 3, 4]]})
    popularity = pd.Series({3: 9, 4: 9, 5: 1})
    brand = brand_repeat_predictions(examples, candidates, ITEMS, popularity)
    # Brands in the history: rose twice, acme once; item 4's missing brand matches nothing. Popularity: 0, 1, 1.
    assert brand["scores"][0].tolist() == [2 * 3 + 0, 1 * 3 + 1, 0 * 3 + 1]
    popular = popularity_predictions(candidates, popularity)
    assert popular["scores"][0].tolist() == [1, 9, 9]
    assert aligned_ranks(popular, examples.assign(target=3), candidates, "test", "p").tolist() == [2]  # tied: last


def test_schema_order_and_held_out_rows_only() -> None:
    examples = examples_of(SEQUENCES)
    candidates = examples.assign(candidates=[np.arange(6)] * len(examples)).sample(frac=1, random_state=1)
    popularity = training_popularity(interactions_of(SEQUENCES), examples)
    for predictions in (
        popularity_predictions(candidates, popularity),
        brand_repeat_predictions(examples.sample(frac=1, random_state=2), candidates, ITEMS, popularity),
    ):
        table = predictions_table(predictions)
        assert table.schema.names == ["user", "split", "candidates", "scores"]
        assert list(zip(table["user"].to_pylist(), table["split"].to_pylist(), strict=True)) == [
            (user, split) for user in range(3) for split in ("test", "validation")
        ]


def test_candidates_without_example_are_refused() -> None:
    candidates = pd.DataFrame({"user": [8], "split": ["test"], "position": [3], "candidates": [[5, 3]]})
    with pytest.raises(InputError, match=r"\(8, 'test', 3\)"):
        brand_repeat_predictions(examples_of(SEQUENCES), candidates, ITEMS, pd.Series({3: 1}))


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
    candidates = examples.assign(
        candidates=[
            [target, *generator.choice(sorted(set(range(936)) - bought[user]), 9, replace=False)]
            for user, target in zip(examples["user"], examples["target"], strict=True)
        ]
    )
    popularity = training_popularity(interactions, examples)
    for predictions, expected in (
        (popularity_predictions(candidates, popularity), 0.11),
        (brand_repeat_predictions(examples, candidates, items, popularity), 0.43),
    ):
        ranks = aligned_ranks(predictions, examples, candidates, "test", "floor").to_numpy()
        assert hit_at_1(ranks).mean() == pytest.approx(expected, abs=0.03)
