"""Drawing tokens: top-k, then nucleus, by inverse transform from one uniform number a token.

The uniforms come from each sequence's own seed, so a text does not change with the company it is batched with (up to
the floating-point noise of the batch itself).
"""

from collections.abc import Sequence

import torch

from pulse_core.generation.requests import Sampling
from pulse_core.seeding import derive_seed


def uniforms(seed: int, sample: int, count: int) -> torch.Tensor:
    """(count,) uniform numbers of one sequence."""
    generator = torch.Generator().manual_seed(derive_seed(seed, sample))
    return torch.rand(count, generator=generator)


def repeating(tokens: Sequence[int], length: int) -> list[int]:
    """The tokens that would write a run of `length` tokens a second time; none for `length` 0."""
    if not length or len(tokens) < length:
        return []
    tail = tokens[len(tokens) - length + 1 :]
    # Asked for every sequence at every step: most places fail on the one token before, without a slice.
    return [
        tokens[end]
        for end in range(length - 1, len(tokens))
        if length == 1 or (tokens[end - 1] == tail[-1] and tokens[end - length + 1 : end] == tail)
    ]


def draw(logits: torch.Tensor, uniform: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The next token of each row.

    Args:
        logits: (batch, vocabulary), float32.
        uniform: (batch,) in [0, 1).
        sampling: temperature 0 takes the most likely token.

    Returns:
        (batch,) token ids.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    top, tokens = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1)
    weights = torch.softmax(top / sampling.temperature, dim=-1)
    before = weights.cumsum(-1) - weights
    # The nucleus holds every token whose predecessors have not yet reached top_p: never empty.
    weights = weights.masked_fill(before >= sampling.top_p, 0.0)
    cumulative = weights.cumsum(-1)
    chosen = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1, keepdim=True)
    chosen = chosen.clamp_(max=int(tokens.shape[-1]) - 1)
    return tokens.gather(-1, chosen).squeeze(-1)
