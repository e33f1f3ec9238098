"""The users with the nearest SASRec states by cosine, and their items that best predict the next purchase.

A pool user has one state per moment of its training sequence: after each item. An example is compared with all moments;
each pool user contributes only its most similar one and the items bought around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import NeighbourSettings
from pulse_core.sequence.states import prefix_states

LEAST_WEIGHT = 1e-3  # purchases with a smaller weight are left out
BLOCK_CELLS = 40_000_000  # similarities (examples x moments) in memory at once


@dataclass(frozen=True)
class Pool:
    """The m moments of the pool's users."""

    states: np.ndarray  # (m, dim), unit norm
    owners: np.ndarray  # (m,) the user, ascending
    bought: sparse.csr_matrix  # (m, items) weights of the purchases around each moment
    popularity: np.ndarray  # (items,) training purchases
    item_vectors: np.ndarray  # (items, dim), SASRec's


@dataclass(frozen=True)
class Neighbours:
    """One example's pool users with cosines, nearest first, and their items with weights, heaviest first."""

    users: np.ndarray
    similarities: np.ndarray
    items: np.ndarray
    item_weights: np.ndarray


def unit(states: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a zero row stays zero."""
    return states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)


def build_pool(model: SASRec, sequences: Sequence[np.ndarray], users: np.ndarray, settings: NeighbourSettings) -> Pool:
    """The moments of `users` in their training sequences (aligned with `users`, which are ascending).

    The state after a user's last training item is left out, since the next purchase is not training data.
    """
    states, owner, position = prefix_states(model, sequences)
    followed = position < np.array([len(sequence) for sequence in sequences])[owner]
    states, owner, position = states[followed], owner[followed], position[followed]
    popularity = np.bincount(np.concatenate(sequences), minlength=model.item_count)
    bought = _bought_around(sequences, owner, position, settings, model.item_count)
    return Pool(unit(states), users[owner], bought, popularity, model.item_vectors().detach().numpy())


def _bought_around(
    sequences: Sequence[np.ndarray],
    owner: np.ndarray,
    position: np.ndarray,
    settings: NeighbourSettings,
    item_count: int,
) -> sparse.csr_matrix:
    """(moments, items): decay ** steps for what was bought `steps` after the next purchase; for what was bought before
    the moment, before_weight * decay ** steps, counted back from its last item."""
    lengths = np.array([len(sequence) for sequence in sequences])
    flat, starts = np.concatenate(sequences), np.cumsum(lengths) - lengths
    rows, columns, values = [], [], []
    for index, step, weight in ((position, 1, 1.0), (position - 1, -1, settings.before_weight)):
        while weight > LEAST_WEIGHT:
            valid = np.flatnonzero((index >= 0) & (index < lengths[owner]))
            if not len(valid):
                break
            rows.append(valid)
            columns.append(flat[starts[owner[valid]] + index[valid]])
            values.append(np.full(len(valid), weight))
            index, weight = index + step, weight * settings.after_decay
    triplet = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(triplet, shape=(len(owner), item_count))


def find_neighbours(
    states: np.ndarray, users: np.ndarray, histories: Sequence[np.ndarray], pool: Pool, settings: NeighbourSettings
) -> list[Neighbours]:
    """Neighbours of examples: states (n, dim), users (n,), histories: all purchases of each user before the target.

    An example's own user is never its neighbour, and no item of its history is among the items. Similarities are
    cosines; item weights sum to at most 1 and are comparable between examples.
    """
    neighbours = []
    block = max(1, BLOCK_CELLS // max(len(pool.owners), 1))
    firsts = np.flatnonzero(np.diff(pool.owners, prepend=-1))
    ends = np.append(firsts[1:], len(pool.owners))
    for start in range(0, len(states), block):
        rows = slice(start, start + block)
        similarity = unit(states[rows]) @ pool.states.T
        similarity[users[rows, None] == pool.owners[None, :]] = -np.inf
        logits = states[rows] @ pool.item_vectors.T
        log_probabilities = logits - logsumexp(logits, axis=1, keepdims=True)
        best = np.maximum.reduceat(similarity, firsts, axis=1)  # (examples, pool users)
        for row, history in enumerate(histories[rows]):
            nearest = _nearest(best[row], settings.users)
            cosines = best[row, nearest]
            spans = zip(firsts[nearest], ends[nearest], strict=True)
            moments = [first + int(similarity[row, first:end].argmax()) for first, end in spans]
            items, weights = _items(cosines, pool.bought[moments], history, pool, log_probabilities[row], settings)
            neighbours.append(Neighbours(pool.owners[firsts[nearest]], cosines.astype(np.float32), items, weights))
    return neighbours


def _nearest(cosines: np.ndarray, wanted: int) -> np.ndarray:
    """Indices of the largest finite cosines, largest first."""
    chosen = np.argpartition(-cosines, wanted)[:wanted] if wanted < len(cosines) else np.arange(len(cosines))
    chosen = np.sort(chosen[np.isfinite(cosines[chosen])])
    return chosen[np.argsort(-cosines[chosen], kind="stable")]


def _items(
    cosines: np.ndarray,
    bought: sparse.csr_matrix,
    history: np.ndarray,
    pool: Pool,
    log_probabilities: np.ndarray,
    settings: NeighbourSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """One example's best items and their weights, heaviest first."""
    weights = np.exp((cosines - cosines.max(initial=-1.0)) / settings.temperature)
    weights /= max(weights.sum(), 1e-12)
    items, shares = _shares(weights, bought, history, pool.popularity, settings.popularity_exponent)
    scores = shares ** (1 - settings.sasrec_share) * np.exp(log_probabilities[items]) ** settings.sasrec_share
    order = np.argsort(-scores, kind="stable")[: settings.items]
    return items[order].astype(np.int32), scores[order].astype(np.float32)


def _shares(
    weights: np.ndarray, bought: sparse.csr_matrix, history: np.ndarray, popularity: np.ndarray, exponent: float
) -> tuple[np.ndarray, np.ndarray]:
    """Items new to the user, ascending, and each one's share of the neighbours' weight; shares sum to 1."""
    items, place = np.unique(bought.indices, return_inverse=True)
    weighted = np.repeat(weights, np.diff(bought.indptr)) * bought.data
    summed = np.bincount(place, weighted, minlength=len(items)) / np.maximum(popularity[items], 1.0) ** exponent
    new = ~np.isin(items, history) & (summed > 0)
    return items[new], summed[new] / max(summed[new].sum(), 1e-12)
