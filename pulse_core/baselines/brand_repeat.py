"""Brand repeat: the candidate whose brand is most frequent in the history, ties by popularity.

No training; a strong floor on real Luxury Beauty.
"""

import re
from collections import Counter

import pandas as pd

from pulse_core.baselines.popularity import counting_predictions
from pulse_core.errors import InputError
from pulse_core.evaluation.tables import require_columns
from pulse_core.keys import Key, keys

NOT_WORD = re.compile(r"[^\w&'.-]+")


def brand_keys(items: pd.DataFrame) -> pd.Series:
    """Brand key of each item: its brand, else the first word of its title, else "".

    Args:
        items: (item, title, has_title, brand).

    Returns:
        case-folded keys indexed by item; "" matches nothing.
    """
    require_columns(items, ("item", "title", "has_title", "brand"), "items")
    brand = items["brand"].fillna("").str.strip().str.casefold()
    first_word = items["title"].fillna("").where(items["has_title"], "").map(_first_word)
    return pd.Series(brand.where(brand != "", first_word).to_numpy(), index=items["item"], name="brand_key")


def _first_word(title: str) -> str:
    words = [word for word in NOT_WORD.split(title.casefold()) if word.strip("&'.-")]
    return words[0] if words else ""


def brand_repeat_predictions(
    examples: pd.DataFrame, candidates: pd.DataFrame, items: pd.DataFrame, popularity: pd.Series
) -> pd.DataFrame:
    """Predictions by the frequency of the candidate's brand in the history, ties broken by popularity.

    Args:
        examples: (user, split, position, history, ...).
        candidates: (user, split, position, candidates); training rows are skipped.
        items: see `brand_keys`.
        popularity: from `training_popularity`.
    """
    brands = brand_keys(items).to_dict()
    counts = popularity.to_dict()
    histories = dict(zip(keys(examples), examples["history"], strict=True))

    def score(key: Key, candidate_items: list[int]) -> list[int]:
        if key not in histories:
            raise InputError(f"candidates: {key} (user, split, position) has no example; rebuild candidates.parquet")
        bought = Counter(brands.get(int(item), "") for item in histories[key])
        bought.pop("", None)
        popular = [counts.get(item, 0) for item in candidate_items]
        levels = {count: level for level, count in enumerate(sorted(set(popular)))}
        # Integers, exact in float32: the brand count outweighs any popularity.
        return [
            bought[brands.get(item, "")] * len(candidate_items) + levels[count]
            for item, count in zip(candidate_items, popular, strict=True)
        ]

    return counting_predictions(candidates, score)
