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


def ranking_metrics(ranks: np.ndarray) -> dict[str, float]:
    """HR@1, HR@10, NDCG@10 and MRR of 1-based ranks."""
    metrics = {"hr@1": hit_at_1, "hr@10": hit_at_10, "ndcg@10": ndcg_at_10, "mrr": reciprocal_rank}
    return {name: float(values(ranks).mean()) for name, values in metrics.items()}
