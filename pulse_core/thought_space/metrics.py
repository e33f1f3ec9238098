"""How good a Thought Space is: retrieval of the right rationale, alignment and uniformity (Wang & Isola, 2020)."""

import numpy as np

from pulse_core.thought_space.loss import NO_NEGATIVE


def retrieval_ranks(history: np.ndarray, rationale: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The rank of each user's rationale in its pool, by cosine, (n,) int64, 1 = first.

    Args:
        history: unit-norm E2 embeddings, (n, d).
        rationale: unit-norm E1 embeddings, (n, d); row u belongs to user u.
        others: the rest of each user's pool as rows of `rationale`, (n, p - 1), `NO_NEGATIVE` where a pool is smaller.

    Ties count against the model: the user's rationale ranks below all others with the same cosine.
    """
    similarity = history.astype(np.float64) @ rationale.astype(np.float64).T  # (n, n)
    matching = np.diagonal(similarity)[:, None]
    # Products of equal embeddings may differ in their last bits, so tiny differences are ties.
    beaten_by = np.take_along_axis(similarity, np.maximum(others, 0), axis=1) >= matching - 1e-9
    return 1 + (beaten_by & (others != NO_NEGATIVE)).sum(axis=1)


def alignment(history: np.ndarray, rationale: np.ndarray) -> float:
    """Mean squared distance of matching unit-norm pairs, both (n, d); 0 is perfect, unrelated pairs have 2."""
    difference = history.astype(np.float64) - rationale.astype(np.float64)
    return float((difference**2).sum(axis=1).mean())


def uniformity(embeddings: np.ndarray) -> float:
    """log of the mean of exp(-2 |x - y|^2) over pairs of unit-norm rows, (n >= 2, d); lower is more even, 0 a point."""
    x = embeddings.astype(np.float64)
    squared = np.maximum(2.0 - 2.0 * (x @ x.T), 0.0)
    pairs = squared[np.triu_indices(len(x), k=1)]
    return float(np.log(np.exp(-2.0 * pairs).mean()))


def space_metrics(history: np.ndarray, rationale: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """All figures of one set of pairs (arguments as for `retrieval_ranks`), n >= 2."""
    ranks = retrieval_ranks(history, rationale, others)
    pool = 1 + (others != NO_NEGATIVE).sum(axis=1)
    return {
        "examples": len(ranks),
        "pool": float(pool.mean()),
        "chance": float((1.0 / pool).mean()),
        "accuracy": float((ranks == 1).mean()),
        "mrr": float((1.0 / ranks).mean()),
        "alignment": alignment(history, rationale),
        "uniformity_history": uniformity(history),
        "uniformity_rationale": uniformity(rationale),
    }
