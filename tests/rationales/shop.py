"""A shop of six items and two users, small enough to read."""

import pandas as pd

from pulse_core.texts import Shop, load_shop

TITLES = [
    "Rose Hand Cream, 3.4 oz, Pack of 2",
    "Oat Soap Bar for Sensitive Skin | Fragrance-Free",
    "Mint Balm",
    "Silk Sleep Mask (Black)",
    "Nail File Set - Professional",
    "TARGETWORD Sun Lotion SPF 50",
]


def make_shop() -> Shop:
    items = pd.DataFrame({"item": range(6), "title": TITLES})
    interactions = pd.DataFrame({"user": [0, 0, 0, 1], "item": [0, 1, 5, 2], "rating": [5.0, None, 4.0, 3.0]})
    reviews = pd.DataFrame(
        {
            "user": [0, 0, 0],
            "item": [0, 1, 5],
            "summary": ["", "gentle on my hands", ""],
            "text": ["smells lovely and lasts all day long", "long text", "REVIEWWORD of the target"],
        }
    )
    return load_shop(items, interactions, reviews)
