"""What the synthetic corpora are made of: reasons to buy, kinds of products, brands, sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Kind:
    """One kind of product."""

    name: str
    group: str
    sizes: list[str]
    price: float  # middle price in dollars


@dataclass(frozen=True)
class Driver:
    """One reason to buy, and the words that speak of it; `drivers.yaml` describes the fields."""

    name: str
    titles: list[str]
    describe: list[str]
    needs: list[str]
    met: list[str]
    missed: list[str]
    keywords: list[str]
    fits: list[str]
    special_titles: Mapping[str, list[str]]


def _load(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built
    return yaml.load(Path(__file__).with_name(name).read_bytes(), loader)


_words = _load("vocabulary.yaml")
# The groups of each domain's products.
GROUPS: dict[str, list[str]] = {domain: list(groups) for domain, groups in _words["kinds"].items()}
KINDS = {  # by domain
    domain: [
        Kind(name, group, entry["sizes"], price)
        for group, entry in groups.items()
        for name, price in entry["prices"].items()
    ]
    for domain, groups in _words["kinds"].items()
}
VARIANTS: dict[str, list[str]] = _words["variants"]
BRAND_STARTS: dict[str, list[str]] = _words["brand_starts"]
BRAND_ENDS: dict[str, list[str]] = _words["brand_ends"]
BRAND_TAILS: dict[str, list[str]] = _words["brand_tails"]
CATEGORIES: dict[str, str] = _words["categories"]
GROUP_CATEGORIES: dict[str, str] = _words["group_categories"]
REVIEW_FRAMES: dict[str, dict[str, list[str]]] = _words["review_frames"]
DESCRIPTION_FRAMES: list[str] = _words["description_frames"]
MARKUP_TITLES: list[str] = _words["markup_titles"]
_default = {"fits": list(GROUP_CATEGORIES), "special_titles": {}}
DRIVERS = [Driver(**(_default | driver)) for driver in _load("drivers.yaml")]
