"""What the synthetic corpora are made of: reasons to buy, kinds of products, brands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Kind:
    """One kind of product: its name in titles, its group, the sizes it is sold in, and its middle price in dollars."""

    name: str
    group: str
    sizes: tuple[str, ...]
    price: float


@dataclass(frozen=True)
class Driver:
    """One reason to buy, and the words that speak of it; `drivers.yaml` describes the fields."""

    name: str
    fits: frozenset[str]
    titles: tuple[str, ...]
    describe: tuple[str, ...]
    needs: tuple[str, ...]
    met: tuple[str, ...]
    missed: tuple[str, ...]
    keywords: tuple[str, ...]
    special_titles: Mapping[str, tuple[str, ...]]

    def titles_for(self, group: str) -> tuple[str, ...]:
        """Title words for a product of `group`."""
        return self.special_titles.get(group, self.titles)


def _load(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built
    return yaml.load(Path(__file__).with_name(name).read_bytes(), loader)


def _driver(name: str, special_titles: Mapping[str, list[str]] | None = None, **phrases: list[str]) -> Driver:
    fits = frozenset(phrases.pop("fits", GROUP_CATEGORIES))
    special = {group: tuple(words) for group, words in (special_titles or {}).items()}
    return Driver(name, fits, special_titles=special, **{key: tuple(words) for key, words in phrases.items()})


_words = _load("vocabulary.yaml")
GROUPS: dict[str, tuple[str, ...]] = {domain: tuple(groups) for domain, groups in _words["kinds"].items()}
"""Domain -> the groups of its products."""
KINDS = {
    domain: tuple(
        Kind(name, group, tuple(entry["sizes"]), float(price))
        for group, entry in groups.items()
        for name, price in entry["prices"].items()
    )
    for domain, groups in _words["kinds"].items()
}
"""Domain -> its kinds."""
VARIANTS: dict[str, list[str]] = _words["variants"]
BRAND_STARTS: dict[str, list[str]] = _words["brand_starts"]
BRAND_ENDS: dict[str, list[str]] = _words["brand_ends"]
BRAND_TAILS: dict[str, list[str]] = _words["brand_tails"]
CATEGORIES: dict[str, str] = _words["categories"]
GROUP_CATEGORIES: dict[str, str] = _words["group_categories"]
DRIVERS = tuple(_driver(**entry) for entry in _load("drivers.yaml"))
