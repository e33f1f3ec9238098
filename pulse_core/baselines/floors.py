"""The floors: popularity, and brand repeat, which is strong on real Luxury Beauty. Neither is trained."""

import re

import numpy as np
import pandas as pd

from pulse_core.baselines.domain import Domain, Examples

NOT_WORD = re.compile(r"[^\w&'.-]+")


def popularity_scores(domain: Domain, examples: Examples) -> np.ndarray:
    """Training purchases of each candidate, (n, C). Equal counts stay tied, and ties count against this floor too."""
    return domain.popularity[examples.candidates]


def brand_keys(items: pd.DataFrame) -> np.ndarray:
    """Case-folded brand of each item of the catalogue, else the first word of its title, else "": (items,)."""
    brand = items["brand"].fillna("").str.strip().str.casefold()
    words = items["title"].fillna("").where(items["has_title"], "").str.casefold().map(NOT_WORD.split)
    first_word = [next((word for word in title if word.strip("&'.-")), "") for title in words]
    return np.where(brand != "", brand, first_word)


def brand_repeat_scores(domain: Domain, brands: np.ndarray, examples: Examples) -> np.ndarray:
    """How often the history has each candidate's brand, ties broken by popularity: (n, C).

    `brands` is from `brand_keys`; "" matches nothing.
    """
    scores = np.zeros(examples.candidates.shape)
    for row, (history, candidates) in enumerate(zip(examples.histories, examples.candidates, strict=True)):
        candidate_brands = brands[candidates]
        bought = (candidate_brands[:, None] == brands[history]).sum(axis=1)
        levels = np.unique(domain.popularity[candidates], return_inverse=True)[1]
        # Integers, exact in float32: the brand count outweighs any popularity.
        scores[row] = np.where(candidate_brands == "", 0, bought) * len(candidates) + levels
    return scores
