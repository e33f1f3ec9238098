"""Ranks of targets among the whole catalogue, and the metrics of ID models beside the 10-candidate protocol."""

from collections.abc import Sequence

import numpy as np

from pulse_core.rank_metrics import hit_at_1, hit_at_10, ndcg_at_10, reciprocal_rank


def ranks_of_targets(scores: np.ndarray, histories: Sequence[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """1-based rank of each target among all items but the user's own history; ties count against the model.

    scores (users, items), targets (users,). A target that is in the history is ranked all the same.
    """
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    own = scores[np.arange(len(targets)), targets]
    allowed = scores.copy()
    if len(rows):
        allowed[rows, np.concatenate(histories)] = -np.inf
    allowed[np.arange(len(targets)), targets] = own
    return (~(allowed < own[:, None])).sum(axis=1)  # a score that is no number counts against the model, too


def ranks_by_product(
    states: np.ndarray, vectors: np.ndarray, histories: Sequence[np.ndarray], targets: np.ndarray
) -> np.ndarray:
    """`ranks_of_targets` of the inner products of states (users, dim) and items (items, dim), in blocks of users.

    What is in memory at once is bounded.
    """
    block = max(1, 20_000_000 // len(vectors))
    ranks = [
        ranks_of_targets(states[i : i + block] @ vectors.T, histories[i : i + block], targets[i : i + block])
        for i in range(0, len(states), block)
    ]
    return np.concatenate(ranks) if ranks else np.zeros(0, dtype=np.int64)


def ranking_metrics(ranks: np.ndarray) -> dict[str, float]:
    """HR@1, HR@10, NDCG@10 and MRR of 1-based ranks."""
    metrics = {"hr1": hit_at_1, "hr10": hit_at_10, "ndcg10": ndcg_at_10, "mrr": reciprocal_rank}
    return {name: float(values(ranks).mean()) for name, values in metrics.items()}
