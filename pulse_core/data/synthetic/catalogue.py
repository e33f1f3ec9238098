"""The synthetic catalogue: items with brand, kind, price and drivers, and titles and descriptions that name them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pulse_core.data.synthetic.vocabulary import (
    BRAND_ENDS,
    BRAND_STARTS,
    BRAND_TAILS,
    CATEGORIES,
    DRIVERS,
    GROUP_CATEGORIES,
    GROUPS,
    KINDS,
    VARIANTS,
    Driver,
    Kind,
)
from pulse_core.data.synthetic_settings import SyntheticSettings
from pulse_core.seeding import derive_seed

HEADLINE = 1.0
"""Strength of a driver that the title names."""
BACKGROUND = 0.6
"""Strength of a driver that only the description names."""
SIGNATURES = 4
"""Drivers per brand that its items carry four times as often."""
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Catalogue:
    """Items of one domain as columns: N items, K drivers of the domain."""

    drivers: tuple[Driver, ...]
    kinds: tuple[Kind, ...]
    brands: tuple[str, ...]
    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    """Plain titles, before any dirt."""
    descriptions: tuple[str, ...]
    brand: np.ndarray
    """(N,) int: index in `brands`."""
    kind: np.ndarray
    """(N,) int: index in `kinds`."""
    price: np.ndarray
    """(N,) dollars."""
    price_level: np.ndarray
    """(N,) standard score of the price within its kind."""
    popularity: np.ndarray
    """(N,) standard normal."""
    strength: np.ndarray
    """(N, K) float32: 0 where the item does not carry the driver."""
    in_title: np.ndarray
    """(N, K) bool: drivers that the title names."""


def domain_drivers(domain: str) -> tuple[Driver, ...]:
    """Drivers that fit at least one group of the domain."""
    return tuple(driver for driver in DRIVERS if driver.fits & set(GROUPS[domain]))


def synthetic_id(prefix: str, number: int, length: int) -> str:
    """An id in Amazon's alphabet that shows it is synthetic: "SYN", the domain's letter, a scrambled number."""
    span = 36**length
    scrambled = (number * 2_654_435_761 + 40_503) % span  # an odd multiplier not divisible by 3: a bijection
    digits = []
    for _ in range(length):
        scrambled, digit = divmod(scrambled, 36)
        digits.append(_BASE36[digit])
    return prefix + "".join(reversed(digits))


def _brands(domain: str, count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Invented brands with distinct first words while the syllables last."""
    names = [start + end for start in BRAND_STARTS[domain] for end in BRAND_ENDS[domain]]
    tails = BRAND_TAILS[domain]
    order = rng.permutation(len(names))
    chosen = []
    for place in range(count):
        name = names[order[place % len(names)]]
        tail = tails[int(rng.integers(len(tails)))] if rng.random() < 0.33 else ""
        again = f" {place // len(names) + 1}" if place >= len(names) else ""
        chosen.append(f"{name}{again} {tail}".strip())
    return tuple(chosen)


def _pick_drivers(kind: Kind, lean: np.ndarray, drivers: tuple[Driver, ...], rng: np.random.Generator) -> np.ndarray:
    """Two to four drivers that fit the kind, weighted by the brand."""
    weights = lean * np.array([kind.group in driver.fits for driver in drivers], dtype=float)
    count = int(rng.choice([2, 3, 4], p=[0.35, 0.45, 0.2]))
    return rng.choice(len(drivers), size=count, replace=False, p=weights / weights.sum())


def _one(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _title(brand: str, kind: Kind, named: list[Driver], rng: np.random.Generator) -> str:
    """Brand, variant, drivers, kind and size in an order that sellers use; at most twelve words."""
    variant = _one(VARIANTS[kind.group], rng)
    words = [_one(driver.titles_for(kind.group), rng) for driver in named]
    size = _one(kind.sizes, rng)
    if kind.group == "game":
        front = f"{brand} {variant}" if rng.random() < 0.8 else brand
        title = f"{front}: {' '.join([*words, kind.name])}" + (f" - {size}" if size else "")
    elif words and rng.random() < 0.3:
        title = f"{brand} {variant} {kind.name} – {', '.join(words)}" + (f", {size}" if size else "")
    else:
        title = " ".join([brand, *([variant] if rng.random() < 0.6 else []), *words, kind.name])
        title += f" {size}" if size.startswith("for ") else f", {size}" if size else ""
    return title if len(title.split()) <= 12 else " ".join([brand, *words, kind.name])


def _description(brand: str, kind: Kind, carried: list[Driver], rng: np.random.Generator) -> str:
    """A sentence that names every driver of the item, short enough not to be cut by the corpus stage."""
    words = [_one(driver.describe, rng) for driver in carried]
    listed = ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]
    frames = (
        f"{kind.name} by {brand}: {listed}.",
        f"The {kind.name.lower()} from {brand}: {listed}.",
        f"{brand} presents its {kind.name.lower()}: {listed}.",
        f"{listed[0].upper()}{listed[1:]}: the {kind.name.lower()} from {brand}.",
    )
    return frames[int(rng.integers(len(frames)))]


def make_catalogue(settings: SyntheticSettings, domain: str, seed: int) -> Catalogue:
    """The items of `domain`, seeded by (seed, domain)."""
    rng = np.random.default_rng(derive_seed(seed, "synthetic", domain, "catalogue"))
    drivers, kinds, count = domain_drivers(domain), KINDS[domain], settings.items
    brands = _brands(domain, max(8, round(count**0.4)), rng)
    lean = np.ones((len(brands), len(drivers)))
    for row in lean:
        row[rng.choice(len(drivers), size=SIGNATURES, replace=False)] = 4.0
    sizes = 1.0 / np.arange(2, len(brands) + 2) ** 0.6
    brand = rng.choice(len(brands), size=count, p=sizes / sizes.sum())
    kind = rng.integers(len(kinds), size=count)
    price_level = rng.standard_normal(count)
    price = np.round(np.array([kinds[k].price for k in kind]) * np.exp(0.35 * price_level)) + 0.99
    strength = np.zeros((count, len(drivers)), dtype=np.float32)
    in_title = np.zeros((count, len(drivers)), dtype=bool)
    titles, descriptions, seen = [], [], set()
    named_counts = np.where(
        rng.random(count) < settings.titles_naming_drivers, rng.choice([1, 2], size=count, p=[0.55, 0.45]), 0
    )
    for item in range(count):
        carried = _pick_drivers(kinds[kind[item]], lean[brand[item]], drivers, rng)
        named = carried[: named_counts[item]]
        for _ in range(20):  # a candidate set may not contain a title twice
            title = _title(brands[brand[item]], kinds[kind[item]], [drivers[d] for d in named], rng)
            if title not in seen:
                break
        seen.add(title)
        titles.append(title)
        descriptions.append(_description(brands[brand[item]], kinds[kind[item]], [drivers[d] for d in carried], rng))
        strength[item, carried] = BACKGROUND
        strength[item, named] = HEADLINE
        in_title[item, named] = True
    ids = tuple(synthetic_id(f"SYN{domain[0].upper()}", number, 6) for number in range(count))
    return Catalogue(
        drivers, kinds, brands, ids, tuple(titles), tuple(descriptions), brand, kind, price, price_level,
        rng.standard_normal(count), strength, in_title,
    )  # fmt: skip


def metadata_row(catalogue: Catalogue, item: int, domain: str) -> dict[str, object]:
    """One item as a record of the 2018 metadata: every key, HTML entities in texts, the price as a string."""
    kind, group = catalogue.kinds[catalogue.kind[item]], catalogue.kinds[catalogue.kind[item]].group
    return {
        "category": [html.escape(CATEGORIES[domain]), html.escape(GROUP_CATEGORIES[group]), kind.name],
        "tech1": "",
        "description": [html.escape(catalogue.descriptions[item], quote=False)],
        "fit": "",
        "title": html.escape(catalogue.titles[item]).replace("–", "&ndash;"),
        "also_buy": [],
        "tech2": "",
        "brand": html.escape(catalogue.brands[catalogue.brand[item]]),
        "feature": [],
        "rank": [],
        "also_view": [],
        "details": {"ASIN: ": catalogue.item_ids[item]},
        "main_cat": html.escape(CATEGORIES[domain]),
        "similar_item": "",
        "date": "",
        "price": f"${catalogue.price[item]:,.2f}",
        "asin": catalogue.item_ids[item],
        "imageURL": [],
        "imageURLHighRes": [],
    }
