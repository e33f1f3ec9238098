"""The users of nearest taste by cosine of SASRec states, and their items that tell most about the next purchase.

A pool user is met at every moment of its training sequence: the state after each item, and what it bought next. An
example is compared with all those moments; each pool user counts with its most alike one, and passes on what it bought
after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import NeighbourSettings
from pulse_core.sequence.states import prefix_states

LEAST_WEIGHT = 1e-3  # a purchase so far after the moment that it weighs less is left out
BLOCK_CELLS = 40_000_000  # similarities (examples x moments) held at a time


@dataclass(frozen=True)
class Pool:
    """Moments of pool users: unit states (m, dim), owners (m,) ascending, what was bought after: (m, items) sparse."""

    states: np.ndarray
    owners: np.ndarray
    bought_after: sparse.csr_matrix
    popularity: np.ndarray


@dataclass(frozen=True)
class Neighbours:
    """Of one example: pool users nearest first with cosines, and their items, most telling first, with weights."""

    users: np.ndarray
    similarities: np.ndarray
    items: np.ndarray
    item_weights: np.ndarray


def unit(states: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a zero row stays zero."""
    return states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)


def build_pool(model: SASRec, sequences: Sequence[np.ndarray], users: np.ndarray, settings: NeighbourSettings) -> Pool:
    """The moments of `users` in their training sequences (aligned with `users`, which ascends) under `model`.

    The state after a user's last training item is left out: what it bought next is not for training to know.
    """
    states, owner, position = prefix_states(model, sequences)
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    followed = position < lengths[owner]
    states, owner, position = states[followed], owner[followed], position[followed]
    popularity = np.bincount(np.concatenate(sequences), minlength=model.item_count)
    after = _bought_after(sequences, owner, position, lengths, settings.after_decay, model.item_count)
    return Pool(unit(states), users[owner], after, popularity)


def _bought_after(
    sequences: Sequence[np.ndarray],
    owner: np.ndarray,
    position: np.ndarray,
    lengths: np.ndarray,
    decay: float,
    item_count: int,
) -> sparse.csr_matrix:
    """(moments, items): decay ** steps for each item bought `steps` purchases after the next one."""
    flat, starts = np.concatenate(sequences), np.cumsum(lengths) - lengths
    rows, columns, values = [], [], []
    step, weight = 0, 1.0
    while weight > LEAST_WEIGHT:
        has = np.flatnonzero(position + step < lengths[owner])
        if not len(has):
            break
        rows.append(has)
        columns.append(flat[starts[owner[has]] + position[has] + step])
        values.append(np.full(len(has), weight))
        step, weight = step + 1, weight * decay
    shape = (len(owner), item_count)
    triplet = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(triplet, shape=shape)


def find_neighbours(
    states: np.ndarray, users: np.ndarray, histories: Sequence[np.ndarray], pool: Pool, settings: NeighbourSettings
) -> list[Neighbours]:
    """Neighbours of examples: states (n, dim), users (n,), histories: all that each user had bought before the target.

    An example's own user is never its neighbour, and no item of its history is among the items. Similarities are
    cosines; item weights sum to at most 1 and are comparable between examples.
    """
    found: list[Neighbours] = []
    block = max(1, BLOCK_CELLS // max(len(pool.owners), 1))
    firsts = np.flatnonzero(np.diff(pool.owners, prepend=-1))
    for start in range(0, len(states), block):
        rows = slice(start, start + block)
        similarity = unit(states[rows]) @ pool.states.T
        similarity[users[rows, None] == pool.owners[None, :]] = -np.inf
        found += _of_block(similarity, histories[rows], pool, firsts, settings)
    return found


def _of_block(
    similarity: np.ndarray,
    histories: Sequence[np.ndarray],
    pool: Pool,
    firsts: np.ndarray,
    settings: NeighbourSettings,
) -> list[Neighbours]:
    best = np.maximum.reduceat(similarity, firsts, axis=1)  # (examples, pool users)
    ends = np.append(firsts[1:], len(pool.owners))
    found = []
    for row, history in enumerate(histories):
        users = _nearest(best[row], settings.users)
        cosines = best[row, users]
        spans = zip(firsts[users], ends[users], strict=True)
        moments = [first + int(similarity[row, first:end].argmax()) for first, end in spans]
        weights = np.exp((cosines - cosines.max(initial=-1.0)) / settings.temperature)
        weights /= max(weights.sum(), 1e-12)
        items, item_weights = _most_telling(weights, pool.bought_after[moments], history, pool.popularity, settings)
        found.append(Neighbours(pool.owners[firsts[users]], cosines.astype(np.float32), items, item_weights))
    return found


def _nearest(cosines: np.ndarray, wanted: int) -> np.ndarray:
    """Indices of the largest finite cosines, largest first."""
    chosen = np.argpartition(-cosines, wanted)[:wanted] if wanted < len(cosines) else np.arange(len(cosines))
    chosen = np.sort(chosen[np.isfinite(cosines[chosen])])
    return chosen[np.argsort(-cosines[chosen], kind="stable")]


def _most_telling(
    weights: np.ndarray,
    bought_after: sparse.csr_matrix,
    history: np.ndarray,
    popularity: np.ndarray,
    settings: NeighbourSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Items (m,) and weights (m,), heaviest first: sum over neighbours of weight * decay, less popular ones raised."""
    items, place = np.unique(bought_after.indices, return_inverse=True)
    passed_on = np.repeat(weights, np.diff(bought_after.indptr)) * bought_after.data
    scores = np.bincount(place, passed_on, minlength=len(items))
    scores = scores / np.maximum(popularity[items], 1.0) ** settings.popularity_exponent
    new = ~np.isin(items, history)
    items, scores = items[new], scores[new]
    order = np.argsort(-scores, kind="stable")[: settings.items]
    return items[order].astype(np.int32), scores[order].astype(np.float32)
