"""Floors: rankings that need no training, which every table has to show beside the models.

Popularity counts what was bought up to the training cut. Brand repeat asks which candidate's brand the history holds
most; on real Luxury Beauty it is a strong floor. Chance needs no predictions (`metrics.chance_values`).
"""

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from pulse_core.data.examples import training_sequences
from pulse_core.errors import InputError
from pulse_core.evaluation.tables import require_columns
from pulse_core.keys import Key, keys

HELD_OUT = ("validation", "test")
NOT_WORD = re.compile(r"[^\w&'.-]+")


def training_popularity(interactions: pd.DataFrame, examples: pd.DataFrame) -> pd.Series:
    """How many users bought each item among what training may see (`training_sequences`): counts indexed by item.

    Args:
        interactions: (user, item, timestamp, row), any order; sequence order is (timestamp, row).
        examples: (user, split, position, ...), position = index of the target in the user's sequence.
    """
    require_columns(interactions, ("user", "item", "timestamp", "row"), "interactions")
    require_columns(examples, ("user", "split", "position"), "examples")
    ordered = interactions.sort_values(["user", "timestamp", "row"], ignore_index=True)
    return training_sequences(ordered, examples).groupby("item").size().rename("count")


def brand_keys(items: pd.DataFrame) -> pd.Series:
    """What stands for the brand of each item: its brand, else the first word of its title, else nothing.

    Args:
        items: (item, title, has_title, brand).

    Returns:
        case-folded keys indexed by item; "" where the item has neither brand nor title, which matches nothing.
    """
    require_columns(items, ("item", "title", "has_title", "brand"), "items")
    brand = items["brand"].fillna("").str.strip().str.casefold()
    first_word = items["title"].fillna("").where(items["has_title"], "").map(_first_word)
    return pd.Series(brand.where(brand != "", first_word).to_numpy(), index=items["item"], name="brand_key")


def _first_word(title: str) -> str:
    words = [word for word in NOT_WORD.split(title.casefold()) if word.strip("&'.-")]
    return words[0] if words else ""


def popularity_predictions(candidates: pd.DataFrame, popularity: pd.Series) -> pd.DataFrame:
    """Predictions by training-time popularity; equal counts stay tied, and ties count against this floor too.

    Args:
        candidates: (user, split, candidates); training rows are skipped.
        popularity: from `training_popularity`; an item it does not know has count 0.
    """
    counts = popularity.to_dict()
    return _predict(candidates, lambda _, offered: [counts.get(item, 0) for item in offered])


def brand_repeat_predictions(
    examples: pd.DataFrame, candidates: pd.DataFrame, items: pd.DataFrame, popularity: pd.Series
) -> pd.DataFrame:
    """Predictions by how often the history holds the candidate's brand, ties broken by popularity.

    Args:
        examples: (user, split, position, history, ...).
        candidates: (user, split, position, candidates); training rows are skipped.
        items: see `brand_keys`.
        popularity: from `training_popularity`.
    """
    brands = brand_keys(items).to_dict()
    counts = popularity.to_dict()
    histories = dict(zip(keys(examples), examples["history"], strict=True))

    def score(key: Key, offered: list[int]) -> list[int]:
        if key not in histories:
            raise InputError(f"candidates: {key} (user, split, position) has no example; make the candidates again")
        bought = Counter(brands.get(int(item), "") for item in histories[key])
        bought.pop("", None)
        popular = [counts.get(item, 0) for item in offered]
        levels = {count: level for level, count in enumerate(sorted(set(popular)))}
        # whole numbers, so that float32 keeps the order: a brand once more outweighs every level of popularity
        return [
            bought[brands.get(item, "")] * len(offered) + levels[count]
            for item, count in zip(offered, popular, strict=True)
        ]

    return _predict(candidates, score)


def _predict(candidates: pd.DataFrame, score: Callable[[Key, list[int]], list[int]]) -> pd.DataFrame:
    """Apply `score(key, candidates)` to every held-out row; sorted by (user, split)."""
    require_columns(candidates, ("user", "split", "position", "candidates"), "candidates")
    rows = candidates[candidates["split"].isin(HELD_OUT)].sort_values(["user", "split"], ignore_index=True)
    offered = [[int(item) for item in each] for each in rows["candidates"]]
    return pd.DataFrame(
        {
            "user": rows["user"].astype("int32"),
            "split": rows["split"],
            "candidates": [np.array(each, dtype=np.int32) for each in offered],
            "scores": [
                np.array(score(key, each), dtype=np.float32) for key, each in zip(keys(rows), offered, strict=True)
            ],
        }
    )
