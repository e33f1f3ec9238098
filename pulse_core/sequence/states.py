"""A trained model applied to histories: states, scores of candidates, ranks of targets among all items."""

from collections.abc import Sequence

import numpy as np
import torch

from pulse_core.rank_metrics import hit_at_1, hit_at_10, ndcg_at_10, reciprocal_rank
from pulse_core.sequence.batches import by_length, pad
from pulse_core.sequence.model import SASRec

EVALUATION_BATCH = 512


@torch.inference_mode()
def states(model: SASRec, histories: Sequence[np.ndarray]) -> np.ndarray:
    """State after the last item of each history: (n, dim) float32; an empty history has the zero state."""
    model.eval()
    out = np.zeros((len(histories), model.items.embedding_dim), dtype=np.float32)
    cut = [np.asarray(history[-model.max_length :]) for history in histories]
    for batch in by_length(cut, EVALUATION_BATCH):
        chosen = [row for row in batch if len(cut[row])]
        if not chosen:
            continue
        padded = pad([cut[row] for row in chosen])
        last = (padded > 0).sum(dim=1) - 1
        out[chosen] = model(padded)[torch.arange(len(chosen)), last].numpy()
    return out


@torch.inference_mode()
def prefix_states(model: SASRec, sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States after each of the last `max_length` items of each sequence.

    Returns states (n, dim) float32, owner (n,) index of the sequence, position (n,) index of the next item.
    """
    model.eval()
    parts, owners, positions = [], [], []
    cut = [np.asarray(sequence[-model.max_length :]) for sequence in sequences]
    for rows in by_length(cut, EVALUATION_BATCH):
        padded = pad([cut[row] for row in rows])
        real = padded > 0
        parts.append(model(padded)[real].numpy())
        row, column = real.numpy().nonzero()
        owners.append(rows[row])
        skipped = np.array([len(sequences[r]) - len(cut[r]) for r in rows])
        positions.append(column + 1 + skipped[row])
    order = np.lexsort((np.concatenate(positions), np.concatenate(owners)))
    return np.concatenate(parts)[order], np.concatenate(owners)[order], np.concatenate(positions)[order]


@torch.inference_mode()
def score_candidates(model: SASRec, histories: Sequence[np.ndarray], candidates: np.ndarray) -> np.ndarray:
    """Inner products of states with candidates' embeddings: candidates (n, m) item codes -> (n, m) float32."""
    vectors = model.item_vectors().numpy()[candidates]  # (n, m, dim)
    return np.einsum("nd,nmd->nm", states(model, histories), vectors).astype(np.float32)


@torch.inference_mode()
def full_ranks(model: SASRec, histories: Sequence[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """1-based rank of each target among all items outside its history."""
    return ranks_by_product(states(model, histories), model.item_vectors().numpy(), histories, targets)


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
