"""InfoNCE, Eq. (1): pull each user's positive rationale towards the user's history, push other users' away."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pulse_core.thought_space.examples import TrainingExample

NO_NEGATIVE = -1


def info_nce(z_history: Tensor, z_positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Eq. (1), averaged over the batch.

    L(u) = -log[ exp(sim(z_p, z_h)/tau) / (exp(sim(z_p, z_h)/tau) + sum_j exp(sim(z_nj, z_h)/tau)) ], sim = cosine.

    Args:
        z_history: E2's embeddings of the behaviour texts, (B, d), any norm.
        z_positive: E1's embeddings of the positive rationales, (B, d), any norm.
        negatives: rows of `z_positive` that are the negatives of each user, (B, M); `NO_NEGATIVE` pads the rows of
            users with fewer than M. A user without negatives contributes 0.
        temperature: tau > 0.
    """
    history = functional.normalize(z_history.float(), dim=-1)
    positive = functional.normalize(z_positive.float(), dim=-1)
    # One (B, B) product and a gather, not (B, M, d) copies of the negatives.
    similarity = history @ positive.T / temperature  # (B, B)
    drawn = similarity.gather(1, negatives.clamp(min=0))  # (B, M)
    drawn = drawn.masked_fill(negatives == NO_NEGATIVE, float("-inf"))
    logits = torch.cat([similarity.diagonal().unsqueeze(1), drawn], dim=1)  # (B, 1 + M)
    return (logits.logsumexp(dim=1) - logits[:, 0]).mean()


def may_contrast(examples: Sequence[TrainingExample], *, inter_domain: bool) -> np.ndarray:
    """Which rationales may serve as whose negatives, (n, n) bool: row u, column v.

    v must be another user's. A rationale identical to u's is excluded too: it would be pulled and pushed at once.
    With `inter_domain` false, v must be of u's domain.
    """

    def differ(name: str) -> np.ndarray:
        values = np.array([getattr(example, name) for example in examples], dtype=object)
        return values[:, None] != values

    allowed = differ("user") & differ("rationale")
    return allowed if inter_domain else allowed & ~differ("domain")


def draw_negatives(allowed: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw `count` negatives per user without replacement, uniformly among those that `may_contrast`, (n, n) bool.

    Returns indices, (n, count) int64. A user with fewer than `count` allowed gets all of them, then `NO_NEGATIVE`.
    """
    # For all rows at once: the `count` smallest of random keys.
    keys = np.where(allowed, generator.random(allowed.shape), np.inf)
    order = np.argsort(keys, axis=1, kind="stable")[:, :count]
    drawn = np.where(np.isinf(np.take_along_axis(keys, order, axis=1)), NO_NEGATIVE, order)
    missing = count - drawn.shape[1]
    return np.pad(drawn, ((0, 0), (0, max(missing, 0))), constant_values=NO_NEGATIVE).astype(np.int64)
