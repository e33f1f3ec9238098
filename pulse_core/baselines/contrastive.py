"""Contrastive losses of DuoRec and EC4SRec, as pure functions of states."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(first: Tensor, second: Tensor, temperature: float = 1.0, groups: Tensor | None = None) -> Tensor:
    """NT-Xent (Chen et al. 2020) as in DuoRec: each of 2B views has one positive and 2B - 2 negatives; mean over views.

    Similarity is the inner product, as in DuoRec; pass unit vectors for cosine.

    Args:
        first, second: the two views of each sample, (B, d).
        temperature: divides the similarities.
        groups: (B,); samples of the same group are not negatives of each other. None: all others are negatives.
    """
    size = len(first)
    views = torch.cat([first, second])  # (2B, d)
    logits = views @ views.T / temperature
    excluded = torch.eye(2 * size, dtype=torch.bool, device=views.device)
    partner = torch.arange(2 * size, device=views.device).roll(size)
    if groups is not None:
        both = groups.repeat(2)
        same = both[:, None] == both[None, :]
        same[torch.arange(2 * size), partner] = False
        excluded = excluded | same
    return F.cross_entropy(logits.masked_fill(excluded, -torch.inf), partner)


def negatives_together(positive: Tensor, negative: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020) with the negative views as one class, as in EC4SRec.

    -log(exp(n . m / t) / sum over all other views a of exp(n . a / t)), mean over anchors n and partners m, both
    negative views; positive views appear only in the sum. Similarity is the cosine. Zero with fewer than two negatives.

    Args:
        positive: (P, d) states of positive views.
        negative: (N, d) states of negative views.
        temperature: t.
    """
    count = len(negative)
    if count < 2:
        return negative.sum() * 0.0
    anchors = F.normalize(negative, dim=1)
    others = torch.cat([anchors, F.normalize(positive, dim=1)])  # (N + P, d)
    itself = torch.eye(count, len(others), dtype=torch.bool, device=others.device)
    logits = (anchors @ others.T / temperature).masked_fill(itself, -torch.inf)
    partners = logits[:, :count].masked_fill(itself[:, :count], 0.0).sum(dim=1) / (count - 1)
    return (logits.logsumexp(dim=1) - partners).mean()
