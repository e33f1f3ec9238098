"""How synthetic users buy: a softmax of utility over drivers, brand, kind, price and popularity; tastes drift."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pulse_core.data.synthetic.catalogue import Catalogue
from pulse_core.data.synthetic_settings import SyntheticSettings
from pulse_core.seeding import derive_seed

BLOCK = 4096  # users simulated together; changing it changes the users drawn from a seed
STRONG = (1.0, 0.7, 0.4)  # weights of a user's first, second and third driver
COUNTS = 0.3  # preference times strength above which a second driver counts
KEEPS_PROMISE = 0.85  # share of purchases whose item meets the driver
FIRST_DAY, LAST_DAY = 16_071, 17_800  # 2014-01-01 to 2018-09-26 in days since 1970
DAYS_BETWEEN = 20  # mean days between two purchases on different days
MOST_PURCHASES = 60

# Called before each purchase with (step, users (n,), items considered (m,), utilities (n, m)); used by tests.
Watch = Callable[[int, np.ndarray, np.ndarray, np.ndarray], None]


@dataclass(frozen=True)
class Purchases:
    """Purchases of one block of users, by (user, step); arrays are (P,)."""

    user: np.ndarray  # int64: number in the domain
    step: np.ndarray  # int: position in the user's sequence
    item: np.ndarray  # int: index in the catalogue
    driver: np.ndarray  # int: the driver that contributed most to the purchase's utility
    second: np.ndarray  # int: another driver that mattered, or -1
    met: np.ndarray  # bool: whether the item met the driver
    day: np.ndarray  # int: days since 1970


@dataclass
class Tastes:
    """Preferences of a block of n users at the current step; updated in place as they drift."""

    driver: np.ndarray  # (n, K) float32 weights over drivers
    slots: np.ndarray  # (n, 3) int: the strongest drivers, in the order of STRONG
    brand: np.ndarray  # (n, B) float32 weights over brands
    kind: np.ndarray  # (n, kinds) float32 weights over kinds
    price_level: np.ndarray  # (n,) float32: preferred price level

    def of(self, rows: np.ndarray) -> "Tastes":
        """A copy for some of the users."""
        return Tastes(*(column[rows] for column in vars(self).values()))


def first_tastes(catalogue: Catalogue, count: int, rng: np.random.Generator) -> Tastes:
    """Tastes of `count` new users; common drivers and large brands are liked more often."""
    common = (catalogue.strength > 0).sum(axis=0) ** 0.5
    slots = _distinct(common, count, len(STRONG), rng)
    rows = np.arange(count)
    driver = rng.uniform(0.0, 0.1, (count, len(common))).astype(np.float32)
    for place, weight in enumerate(STRONG):
        driver[rows, slots[:, place]] = weight * rng.uniform(0.85, 1.15, count)
    sizes = np.bincount(catalogue.brand, minlength=len(catalogue.brands)) ** 0.5
    brand = np.zeros((count, len(sizes)), dtype=np.float32)
    liked = _distinct(sizes, count, 2, rng)
    brand[rows, liked[:, 0]], brand[rows, liked[:, 1]] = 1.0, 0.6
    kind = (rng.random((count, len(catalogue.kinds))) < 0.35).astype(np.float32)
    return Tastes(driver, slots, brand, kind, rng.standard_normal(count).astype(np.float32))


def _distinct(weights: np.ndarray, rows: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(rows, count) distinct choices per row, drawn by weight without replacement (exponential race)."""
    race = rng.standard_exponential((rows, len(weights))) / np.maximum(weights, 1e-9)
    return np.argsort(race, axis=1, kind="stable")[:, :count]


def utility(catalogue: Catalogue, tastes: Tastes, settings: SyntheticSettings, items: np.ndarray) -> np.ndarray:
    """(n, items) logits of the softmax that draws a purchase."""
    value = settings.driver_weight * (tastes.driver @ catalogue.strength[items].T)
    value += settings.brand_weight * tastes.brand[:, catalogue.brand[items]]
    value += settings.kind_weight * tastes.kind[:, catalogue.kind[items]]
    level = catalogue.price_level[items].astype(np.float32)
    value -= settings.price_weight * np.abs(tastes.price_level[:, None] - level)
    value += settings.popularity_weight * catalogue.popularity[items].astype(np.float32)
    return value


def drift(tastes: Tastes, catalogue: Catalogue, share: float, rng: np.random.Generator) -> None:
    """With probability `share` each, replace one of a user's strong drivers and the favourite brand."""
    count: int = len(tastes.driver)
    common = (catalogue.strength > 0).sum(axis=0) ** 0.5
    moved = np.flatnonzero(rng.random(count) < share)
    place = rng.integers(len(STRONG), size=count)[moved]
    new = rng.choice(len(common), size=count, p=common / common.sum())[moved]
    fresh = ~(tastes.slots[moved] == new[:, None]).any(axis=1)
    moved, place, new = moved[fresh], place[fresh], new[fresh]
    old = tastes.slots[moved, place]
    tastes.driver[moved, new] = tastes.driver[moved, old]
    tastes.driver[moved, old] = 0.05
    tastes.slots[moved, place] = new
    turned = np.flatnonzero(rng.random(count) < share)
    other = rng.integers(tastes.brand.shape[1], size=count)[turned]
    tastes.brand[turned] *= 0.5
    tastes.brand[turned, other] = 1.0


def _lengths(settings: SyntheticSettings, first: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Purchases per user: five or more for regular customers (numbers below `users`), else one to four."""
    regular = 5 + np.minimum(rng.geometric(1 / (settings.mean_purchases - 4), size=count) - 1, MOST_PURCHASES - 5)
    light = rng.integers(1, 5, size=count)
    return np.minimum(np.where(first + np.arange(count) < settings.users, regular, light), max(1, settings.items // 2))


def _choose(
    value: np.ndarray, considered: np.ndarray, bought: np.ndarray, items: int, rng: np.random.Generator
) -> np.ndarray:
    """(n,) indices in `considered`: one softmax draw per row of `value` (n, m), without items already bought."""
    place = np.full(items, -1, dtype=np.int64)
    place[considered] = np.arange(len(considered))
    past = place[bought]
    rows, slots = np.nonzero(past >= 0)
    value[rows, past[rows, slots]] = -np.inf
    gumbel = -np.log(rng.standard_exponential(value.shape, dtype=np.float32) + 1e-12)
    return np.argmax(value + gumbel, axis=1)


def simulate_block(
    settings: SyntheticSettings,
    catalogue: Catalogue,
    domain: str,
    seed: int,
    block: int,
    total: int,
    watch: Watch | None = None,
) -> Purchases:
    """All purchases of one block's users, seeded by (seed, domain, block); `total` users overall.

    Nobody buys an item twice (repeated rows are added as dirt). Memory: BLOCK x settings.consideration floats.
    """
    rng = np.random.default_rng(derive_seed(seed, "synthetic", domain, "users", block))
    first = block * BLOCK
    count = min(BLOCK, total - first)
    lengths = _lengths(settings, first, count, rng)
    tastes = first_tastes(catalogue, count, rng)
    items = len(catalogue.item_ids)
    bought = np.full((count, int(lengths.max())), -1, dtype=np.int64)
    room = LAST_DAY - FIRST_DAY - 1.3 * DAYS_BETWEEN * lengths
    day = FIRST_DAY + (rng.random(count) * room).astype(np.int64)
    columns: list[tuple[np.ndarray, ...]] = []
    for step in range(int(lengths.max())):
        active = np.flatnonzero(lengths > step)
        considered = np.arange(items)
        if items > settings.consideration:
            considered = np.sort(rng.choice(items, size=settings.consideration, replace=False))
        current = tastes.of(active)
        value = utility(catalogue, current, settings, considered)
        if watch is not None:
            watch(step, first + active, considered, value.copy())
        item = considered[_choose(value, considered, bought[active, :step], items, rng)]
        parts = current.driver * catalogue.strength[item]  # (n, K) of the utility
        driver, second = np.argsort(-parts, axis=1, kind="stable")[:, :2].T
        second = np.where(parts[np.arange(len(parts)), second] > COUNTS, second, -1)
        met = rng.random(len(active)) < KEEPS_PROMISE
        if step:
            same_day = rng.random(len(active)) < settings.dirt.same_day
            day[active] += np.where(same_day, 0, rng.geometric(1 / DAYS_BETWEEN, size=len(active)))
        columns.append((first + active, np.full(len(active), step), item, driver, second, met, day[active].copy()))
        bought[active, step] = item
        brand = catalogue.brand[item]
        tastes.brand[active, brand] = np.clip(tastes.brand[active, brand] + np.where(met, 0.1, -0.2), -0.5, 1.5)
        drift(tastes, catalogue, settings.drift, rng)
    user, steps, *others, days = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((steps, user))
    return Purchases(*(column[order] for column in (user, steps, *others, np.minimum(days, LAST_DAY))))
