"""Popularity: number of training purchases. A floor for every table."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pulse_core.data.examples import training_sequences
from pulse_core.evaluation.tables import require_columns
from pulse_core.keys import Key, keys

HELD_OUT = ("validation", "test")


def training_popularity(interactions: pd.DataFrame, examples: pd.DataFrame) -> pd.Series:
    """Purchases of each item in the training sequences: counts indexed by item.

    Args:
        interactions: (user, item, timestamp, row), any order; sequence order is (timestamp, row).
        examples: (user, split, position, ...), position = index of the target in the user's sequence.
    """
    require_columns(interactions, ("user", "item", "timestamp", "row"), "interactions")
    require_columns(examples, ("user", "split", "position"), "examples")
    ordered = interactions.sort_values(["user", "timestamp", "row"], ignore_index=True)
    return training_sequences(ordered, examples).groupby("item").size().rename("count")


def popularity_predictions(candidates: pd.DataFrame, popularity: pd.Series) -> pd.DataFrame:
    """Predictions by training popularity. Equal counts stay tied, and ties count against this floor too.

    Args:
        candidates: (user, split, candidates); training rows are skipped.
        popularity: from `training_popularity`; missing items count 0.
    """
    counts = popularity.to_dict()
    return counting_predictions(candidates, lambda _, row: [counts.get(item, 0) for item in row])


def counting_predictions(candidates: pd.DataFrame, score: Callable[[Key, list[int]], list[int]]) -> pd.DataFrame:
    """Apply `score(key, candidates)` to every held-out row; sorted by (user, split)."""
    require_columns(candidates, ("user", "split", "position", "candidates"), "candidates")
    rows = candidates[candidates["split"].isin(HELD_OUT)].sort_values(["user", "split"], ignore_index=True)
    candidate_lists = [[int(item) for item in row] for row in rows["candidates"]]
    return pd.DataFrame(
        {
            "user": rows["user"].astype("int32"),
            "split": rows["split"],
            "candidates": [np.array(row, dtype=np.int32) for row in candidate_lists],
            "scores": [
                np.array(score(key, row), dtype=np.float32)
                for key, row in zip(keys(rows), candidate_lists, strict=True)
            ],
        }
    )
