"""Explanation-guided views (EC4SRec): crop, mask and reorder by item importance, vectorised over a batch.

A positive view preserves the important items: crop keeps only the most important, mask and reorder change only the
least important. A negative view loses them: crop keeps only the least important, mask and reorder change the most
important, and in short histories at least the most important (a single item is masked). A positive view of a single
item is that item.
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
    """Rank of each item in its row, 0 for the most important, ties to the earlier; padding last: (n, longest)."""
    real = np.arange(importance.shape[1]) < lengths[:, None]
    order = np.argsort(np.where(real, -importance, np.inf), axis=1, kind="stable")
    return np.argsort(order, axis=1)  # the inverse permutation


def crop(batch: Batch, kept: np.ndarray) -> Batch:
    """The kept items in their original order; kept: (n, longest) bool."""
    order = np.argsort(~kept, axis=1, kind="stable")
    lengths = kept.sum(axis=1)
    moved = np.take_along_axis(batch.padded, order, axis=1)
    return Batch(np.where(np.arange(moved.shape[1]) < lengths[:, None], moved, 0), lengths)


def reorder(padded: np.ndarray, touched: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shuffle the touched items among their positions; with two or more, the order always changes."""
    places = np.argsort(~touched, axis=1, kind="stable")  # touched positions first, then the rest in order
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
    """Number of items that mask and reorder change, at least one: the share that crop would drop."""
    return np.maximum(np.floor((1.0 - ratio) * lengths + 1e-9), 1)


def positive_views(
    batch: Batch, ranks: np.ndarray, ratio: float, mask: int, generator: np.random.Generator
) -> tuple[Batch, Batch]:
    """Two positive views of each row, by two different methods; `ranks` are from `importance_ranks`.

    Crop keeps the share `ratio` of the items (rounded up); mask and reorder change the rest (rounded down, at least one
    of two or more). `mask`: index of the masked item.
    """
    first = generator.integers(3, size=len(batch.lengths))
    second = (first + generator.integers(1, 3, size=len(first))) % 3
    lengths = batch.lengths[:, None]
    kept = ranks < np.ceil(ratio * lengths - 1e-9)
    touched = (ranks >= lengths - np.minimum(_rest(ratio, lengths), lengths - 1)) & (ranks < lengths)
    one, other = (_view(batch, kinds, kept, touched, touched, mask, generator) for kinds in (first, second))
    return one, other


def negative_view(batch: Batch, ranks: np.ndarray, ratio: float, mask: int, generator: np.random.Generator) -> Batch:
    """One negative view of each row, by a random method; `ratio` is the share that crop keeps, the least important."""
    lengths = batch.lengths[:, None]
    kinds = np.where(batch.lengths == 1, MASK, generator.integers(3, size=len(batch.lengths)))
    kept_count = np.clip(np.floor(ratio * lengths + 1e-9), 1, np.maximum(lengths - 1, 1))
    kept = (ranks >= lengths - kept_count) & (ranks < lengths)
    masked = ranks < _rest(ratio, lengths)
    moved = ranks < np.minimum(np.maximum(_rest(ratio, lengths), 2), lengths)
    return _view(batch, kinds, kept, masked, moved, mask, generator)
