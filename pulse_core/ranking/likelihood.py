"""Likelihood head: the mean log-probability of a candidate's tokens after the prefix."""

import torch

from pulse_core.ranking.layout import Batch


def token_log_probabilities(vocabulary: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """(T,) float32 log-probabilities of the predicted tokens (T,) under the logits (T, V)."""
    # The (T, V) table of log-probabilities is never materialised.
    vocabulary = vocabulary.float()
    return vocabulary.gather(-1, predicted[:, None]).squeeze(-1) - vocabulary.logsumexp(-1)


def candidate_means(log_probabilities: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Means over each candidate's tokens, (T,) -> (B, C)."""
    device = log_probabilities.device
    owner, count = batch.owner.to(device), len(batch.last)
    total = torch.zeros(count, device=device).index_add(0, owner, log_probabilities)
    tokens = torch.zeros(count, device=device).index_add(0, owner, torch.ones_like(log_probabilities))
    return (total / tokens).view(-1, batch.width)
