"""The synthetic catalogue: items with brand, kind, price and drivers, and titles and descriptions that name them."""

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pulse_core.data.synthetic.vocabulary import (
    BRAND_ENDS,
    BRAND_STARTS,
    BRAND_TAILS,
    DESCRIPTION_FRAMES,
    DRIVERS,
    GROUPS,
    KINDS,
    VARIANTS,
    Driver,
    Kind,
)
from pulse_core.data.synthetic_settings import SyntheticSettings
from pulse_core.seeding import derive_seed

HEADLINE = 1.0  # strength of a driver that the title names
BACKGROUND = 0.6  # strength of a driver that only the description names
SIGNATURES = 4  # drivers per brand that its items carry four times as often
_BASE36 = string.digits + string.ascii_uppercase


@dataclass(frozen=True)
class Catalogue:
    """Items of one domain as columns: N items, K drivers of the domain."""

    drivers: list[Driver]
    kinds: list[Kind]
    brands: list[str]
    item_ids: list[str]
    titles: list[str]  # plain, before any dirt
    descriptions: list[str]
    brand: np.ndarray  # (N,) int: index in `brands`
    kind: np.ndarray  # (N,) int: index in `kinds`
    price: np.ndarray  # (N,) dollars
    price_level: np.ndarray  # (N,) standard score of the price within its kind
    popularity: np.ndarray  # (N,) standard normal
    strength: np.ndarray  # (N, K) float32: HEADLINE, BACKGROUND, or 0 where the item does not carry the driver


def domain_drivers(domain: str) -> list[Driver]:
    """Drivers that fit at least one group of the domain."""
    return [driver for driver in DRIVERS if not set(driver.fits).isdisjoint(GROUPS[domain])]


def synthetic_id(prefix: str, number: int, length: int) -> str:
    """An id in Amazon's alphabet that shows it is synthetic: "SYN", the domain's letter, a scrambled number."""
    span = 36**length
    scrambled = (number * 2_654_435_761 + 40_503) % span  # an odd multiplier not divisible by 3: a bijection
    return prefix + "".join(_BASE36[scrambled // 36**place % 36] for place in reversed(range(length)))


def _brands(domain: str, count: int, rng: np.random.Generator) -> list[str]:
    """Invented brands with distinct first words while the syllables last."""
    names = [start + end for start in BRAND_STARTS[domain] for end in BRAND_ENDS[domain]]
    order = rng.permutation(len(names))
    chosen = []
    for place in range(count):
        name = names[order[place % len(names)]]
        tail = _one(BRAND_TAILS[domain], rng) if rng.random() < 0.33 else ""
        again = f" {place // len(names) + 1}" if place >= len(names) else ""
        chosen.append(f"{name}{again} {tail}".strip())
    return chosen


def _one(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _title(brand: str, kind: Kind, named: list[Driver], rng: np.random.Generator) -> str:
    """Brand, variant, drivers, kind and size in an order that sellers use; at most twelve words."""
    variant = _one(VARIANTS[kind.group], rng)
    words = [_one(driver.special_titles.get(kind.group, driver.titles), rng) for driver in named]
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
    return _one(DESCRIPTION_FRAMES, rng).format(
        Kind=kind.name, kind=kind.name.lower(), brand=brand, listed=listed, Listed=listed[0].upper() + listed[1:]
    )


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
    titles, descriptions, seen = [], [], set()
    named_counts = np.where(
        rng.random(count) < settings.titles_naming_drivers, rng.choice([1, 2], size=count, p=[0.55, 0.45]), 0
    )
    for item in range(count):
        its_brand, its_kind = brands[brand[item]], kinds[kind[item]]
        weights = lean[brand[item]] * np.array([its_kind.group in driver.fits for driver in drivers], dtype=float)
        size = int(rng.choice([2, 3, 4], p=[0.35, 0.45, 0.2]))
        carried = rng.choice(len(drivers), size=size, replace=False, p=weights / weights.sum())
        named = carried[: named_counts[item]]
        for _ in range(20):  # a candidate set may not contain a title twice
            title = _title(its_brand, its_kind, [drivers[d] for d in named], rng)
            if title not in seen:
                break
        seen.add(title)
        titles.append(title)
        descriptions.append(_description(its_brand, its_kind, [drivers[d] for d in carried], rng))
        strength[item, carried] = BACKGROUND
        strength[item, named] = HEADLINE
    ids = [synthetic_id(f"SYN{domain[0].upper()}", number, 6) for number in range(count)]
    popularity = rng.standard_normal(count)
    return Catalogue(
        drivers, kinds, brands, ids, titles, descriptions, brand, kind, price, price_level, popularity, strength
    )
