"""Explanation-guided views (EC4SRec): crop, mask and reorder by the importance of items.

A positive view keeps what is important: crop keeps the most important items alone, mask and reorder touch only the
least important. A negative view loses it: crop keeps the least important items alone, mask and reorder touch the most
important. All rows of a batch are made at once.

Two rules for short histories keep the kinds apart. A negative view always loses its most important item's place: crop
drops at least that, reorder moves at least two, and a history of one item is masked. A positive view of one item is
that item.
"""

from dataclasses import dataclass

import numpy as np

CROP, MASK, REORDER = range(3)


@dataclass(frozen=True)
class Batch:
    """Rows of code + 1 with zeros on the right, (n, longest), and their lengths, (n,)."""

    padded: np.ndarray
    lengths: np.ndarray


def importance_ranks(importance: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """0 for the most important item of each row, ties to the earlier; padding comes last: (n, longest)."""
    real = np.arange(importance.shape[1]) < lengths[:, None]
    order = np.argsort(np.where(real, -importance, np.inf), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(order.shape[1])[None], axis=1)
    return ranks


def crop(batch: Batch, kept: np.ndarray) -> Batch:
    """The items that are kept, in their order: kept (n, longest) bool."""
    order = np.argsort(~kept, axis=1, kind="stable")
    lengths = kept.sum(axis=1)
    moved = np.take_along_axis(batch.padded, order, axis=1)
    return Batch(np.where(np.arange(moved.shape[1]) < lengths[:, None], moved, 0), lengths)


def reorder(padded: np.ndarray, touched: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The touched items in a random order among their own places, never all as they were if there are two."""
    places = np.argsort(~touched, axis=1, kind="stable")  # the touched places first, then the others as they stand
    drawn = np.argsort(np.where(touched, generator.random(padded.shape), 2.0), axis=1, kind="stable")
    backwards = np.argsort(np.where(touched, -np.arange(padded.shape[1]), 1), axis=1, kind="stable")
    taken = np.where((drawn == places).all(axis=1, keepdims=True), backwards, drawn)
    moved = padded.copy()
    np.put_along_axis(moved, places, np.take_along_axis(padded, taken, axis=1), axis=1)
    return moved


def _view(
    batch: Batch,
    kinds: np.ndarray,
    kept: np.ndarray,
    masked: np.ndarray,
    moved: np.ndarray,
    mask: int,
    generator: np.random.Generator,
) -> Batch:
    cropped = crop(batch, kept)
    choices = [cropped.padded, np.where(masked, mask, batch.padded), reorder(batch.padded, moved, generator)]
    padded = np.select([(kinds == kind)[:, None] for kind in (CROP, MASK, REORDER)], choices)
    return Batch(padded, np.where(kinds == CROP, cropped.lengths, batch.lengths))


def _rest(ratio: float, lengths: np.ndarray) -> np.ndarray:
    """How many items mask and reorder touch, at least one: the share that crop would drop."""
    return np.maximum(np.floor((1.0 - ratio) * lengths + 1e-9), 1)


def positive_views(
    batch: Batch, ranks: np.ndarray, ratio: float, mask: int, generator: np.random.Generator
) -> tuple[Batch, Batch]:
    """Two positive views of each row, by two different ones of the three ways.

    Args:
        ranks: from `importance_ranks`.
        ratio: crop keeps this share of the items (rounded up); mask and reorder leave about as many alone and touch
            the rest (rounded down, at least one where there are two).
        mask: what stands for a masked item; neither an item's nor padding's.
    """
    first = generator.integers(3, size=len(batch.lengths))
    second = (first + generator.integers(1, 3, size=len(first))) % 3
    lengths = batch.lengths[:, None]
    kept = ranks < np.ceil(ratio * lengths - 1e-9)
    touched = (ranks >= lengths - np.minimum(_rest(ratio, lengths), lengths - 1)) & (ranks < lengths)
    one, other = (_view(batch, kinds, kept, touched, touched, mask, generator) for kinds in (first, second))
    return one, other


def negative_view(batch: Batch, ranks: np.ndarray, ratio: float, mask: int, generator: np.random.Generator) -> Batch:
    """A negative view of each row, by one of the three ways.

    Args:
        ranks, mask: as for `positive_views`.
        ratio: crop keeps this share of the items, the least important; mask and reorder touch the rest, the most.
    """
    lengths = batch.lengths[:, None]
    kinds = np.where(batch.lengths == 1, MASK, generator.integers(3, size=len(batch.lengths)))
    left = np.clip(np.floor(ratio * lengths + 1e-9), 1, np.maximum(lengths - 1, 1))
    kept = (ranks >= lengths - left) & (ranks < lengths)
    masked = ranks < _rest(ratio, lengths)
    moved = ranks < np.minimum(np.maximum(_rest(ratio, lengths), 2), lengths)
    return _view(batch, kinds, kept, masked, moved, mask, generator)
