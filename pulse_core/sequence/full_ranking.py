"""Ranks of targets among the whole catalogue, and the metrics of ID models beside the 10-candidate protocol."""

from collections.abc import Sequence

import numpy as np


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
    return (allowed >= own[:, None]).sum(axis=1)


def ranking_metrics(ranks: np.ndarray, cutoff: int = 10) -> dict[str, float]:
    """HR@1, HR@cutoff, NDCG@cutoff and MRR of 1-based ranks with one relevant item each."""
    hit = ranks <= cutoff
    return {
        "hr@1": float((ranks <= 1).mean()),
        f"hr@{cutoff}": float(hit.mean()),
        f"ndcg@{cutoff}": float(np.where(hit, 1.0 / np.log2(ranks + 1.0), 0.0).mean()),
        "mrr": float((1.0 / ranks).mean()),
    }
