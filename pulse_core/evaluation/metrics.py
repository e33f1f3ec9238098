"""Ranks of targets among candidates, and their HR@1, MRR, NDCG@10 (the paper's section on evaluation gives HR@1).

Every metric is a function of one number, the rank of the target among a user's candidates (rank_metrics.py).
"""

import numpy as np
from numpy.typing import NDArray

from pulse_core.errors import InputError
from pulse_core.rank_metrics import Floats, hit_at_1, ndcg_at_10, reciprocal_rank

METRICS = ("hr1", "mrr", "ndcg10")

Integers = NDArray[np.int64]


def target_ranks(candidates: np.ndarray, scores: np.ndarray, targets: np.ndarray) -> Integers:
    """Rank of each user's target, 1 = best: one more than the number of other candidates scoring at least as much.

    A tie therefore counts against the model: it gets the worst rank of the tied group, and a model that gives all
    candidates one score is last, not first.

    Args:
        candidates: item codes, shape (users, candidates); a row holds no item twice.
        scores: the model's scores, same shape, higher is better. Infinite scores are in order; NaN is not.
        targets: item codes, shape (users,); each occurs in its row of candidates.

    Raises:
        InputError: shapes differ, a score is NaN, a row repeats an item, or a target is not among its candidates.
    """
    if candidates.ndim != 2 or candidates.shape != scores.shape or targets.shape != candidates.shape[:1]:
        raise InputError(
            f"candidates {candidates.shape}, scores {scores.shape} and targets {targets.shape} do not fit: "
            "they should be (users, candidates) twice and (users,)"
        )
    nan_rows = np.flatnonzero(np.isnan(scores).any(axis=1))
    if nan_rows.size:
        raise InputError(f"{nan_rows.size} of {len(scores)} rows hold a NaN score, the first is row {nan_rows[0]}")
    ordered = np.sort(candidates, axis=1)
    repeated = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if repeated.size:
        raise InputError(f"row {repeated[0]} holds a candidate twice: {candidates[repeated[0]].tolist()}")
    is_target = candidates == targets[:, None]  # (users, candidates)
    absent = np.flatnonzero(~is_target.any(axis=1))
    if absent.size:
        row = absent[0]
        raise InputError(f"row {row}: target {targets[row]} is not among its candidates {candidates[row].tolist()}")
    target_scores = scores[is_target][:, None]  # one a row, in row order
    return ((scores >= target_scores) & ~is_target).sum(axis=1).astype(np.int64) + 1


def metric_values(ranks: np.ndarray) -> Floats:
    """All metrics of each user, columns in the order of METRICS. Shape (users, 3)."""
    return np.stack([hit_at_1(ranks), reciprocal_rank(ranks), ndcg_at_10(ranks)], axis=1)


def chance_values(candidate_count: int) -> Floats:
    """What scores drawn at random are expected to reach: the metrics' means over ranks 1..n. Shape (3,)."""
    if candidate_count < 1:
        raise InputError(f"chance needs at least one candidate, got {candidate_count}")
    return metric_values(np.arange(1, candidate_count + 1)).mean(axis=0)
