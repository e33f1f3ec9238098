"""HR, MRR and NDCG with one relevant item: functions of its rank, 1 = best."""

import numpy as np
from numpy.typing import NDArray

CUT = 10

Floats = NDArray[np.float64]


def hit_at_1(ranks: np.ndarray) -> Floats:
    """HR@1 of each user: 1 when the target is ranked first, else 0. Shape (users,)."""
    return (ranks == 1).astype(np.float64)


def hit_at_10(ranks: np.ndarray) -> Floats:
    """HR@10 of each user: 1 when the target is among the first ten, else 0. Shape (users,)."""
    return (ranks <= CUT).astype(np.float64)


def reciprocal_rank(ranks: np.ndarray) -> Floats:
    """1 / rank of each user; its mean is MRR. Shape (users,)."""
    return 1.0 / ranks.astype(np.float64)


def ndcg_at_10(ranks: np.ndarray) -> Floats:
    """NDCG@10 of each user: with one relevant item, 1 / log2(1 + rank) up to rank 10 and 0 below. Shape (users,)."""
    gains = 1.0 / np.log2(1.0 + ranks.astype(np.float64))
    return np.where(ranks <= CUT, gains, 0.0)
