"""Ranks of targets in the whole catalogue, and the metrics reported for ID models beside the candidate protocol."""

from collections.abc import Sequence

import numpy as np

from pulse_core.rank_metrics import hit_at_1, hit_at_10, ndcg_at_10, reciprocal_rank


def ranks_of_targets(scores: np.ndarray, histories: Sequence[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """1-based rank of each target among all items outside its history; ties count against the model.

    scores (users, items), targets (users,). A target that is in the history is still ranked.
    """
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    target_scores = scores[np.arange(len(targets)), targets]
    allowed = scores.copy()
    if len(rows):
        allowed[rows, np.concatenate(histories)] = -np.inf
    allowed[np.arange(len(targets)), targets] = target_scores
    return (~(allowed < target_scores[:, None])).sum(axis=1)  # NaN scores count against the model, too


def ranks_by_product(
    states: np.ndarray, vectors: np.ndarray, histories: Sequence[np.ndarray], targets: np.ndarray
) -> np.ndarray:
    """`ranks_of_targets` of inner products of states (users, dim) and items (items, dim), in blocks to bound memory."""
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
