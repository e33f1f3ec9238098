"""Ranks of targets among candidates, and HR@1, MRR and NDCG@10 of these ranks."""

import numpy as np
from numpy.typing import NDArray

from pulse_core.errors import InputError
from pulse_core.rank_metrics import Floats, hit_at_1, ndcg_at_10, reciprocal_rank

METRICS = ("hr1", "mrr", "ndcg10")


def target_ranks(candidates: np.ndarray, scores: np.ndarray, targets: np.ndarray) -> NDArray[np.int64]:
    """Rank of each user's target, 1 = best; among ties it is the worst.

    Args:
        candidates: item codes, shape (users, candidates), distinct within a row.
        scores: same shape, higher is better; may be infinite, not NaN.
        targets: item codes, shape (users,), each among its row of candidates.

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
        raise InputError(f"{nan_rows.size} of {len(scores)} rows have a NaN score, the first is row {nan_rows[0]}")
    ordered = np.sort(candidates, axis=1)
    repeated = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if repeated.size:
        raise InputError(f"row {repeated[0]} has a candidate twice: {candidates[repeated[0]].tolist()}")
    is_target = candidates == targets[:, None]  # (users, candidates)
    absent = np.flatnonzero(~is_target.any(axis=1))
    if absent.size:
        row = absent[0]
        raise InputError(f"row {row}: target {targets[row]} is not among its candidates {candidates[row].tolist()}")
    target_scores = scores[is_target][:, None]  # one per row, in row order
    return ((scores >= target_scores) & ~is_target).sum(axis=1).astype(np.int64) + 1


def metric_values(ranks: np.ndarray) -> Floats:
    """The METRICS of each user, shape (users, 3)."""
    return np.stack([hit_at_1(ranks), reciprocal_rank(ranks), ndcg_at_10(ranks)], axis=1)


def chance_values(candidate_count: int) -> Floats:
    """Expected METRICS of random scores, shape (3,): means over ranks 1..n."""
    return metric_values(np.arange(1, candidate_count + 1)).mean(axis=0)
