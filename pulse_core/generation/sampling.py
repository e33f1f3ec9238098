"""Token sampling: top-k, then nucleus, by inverse transform of one uniform number per token.

The numbers come from each sequence's seed, so a text does not depend on its batch, up to rounding.
"""

from collections.abc import Sequence

import torch

from pulse_core.generation.requests import Sampling
from pulse_core.seeding import derive_seed


def uniforms(seed: int, sample: int, count: int) -> torch.Tensor:
    """(count,) uniform numbers for one sequence."""
    generator = torch.Generator().manual_seed(derive_seed(seed, sample))
    return torch.rand(count, generator=generator)


def repeating(tokens: Sequence[int], length: int) -> list[int]:
    """Tokens that would repeat a run of `length` tokens of the text; none for `length` 0."""
    if not length or len(tokens) < length:
        return []
    tail = tokens[len(tokens) - length + 1 :]
    # Called at every token: comparing the last token of a run first avoids most slices.
    return [
        tokens[end]
        for end in range(length - 1, len(tokens))
        if length == 1 or (tokens[end - 1] == tail[-1] and tokens[end - length + 1 : end] == tail)
    ]


def draw(logits: torch.Tensor, uniform: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The next token of each row, (batch,).

    Args:
        logits: (batch, vocabulary), float32.
        uniform: (batch,) in [0, 1).
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    top, tokens = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1)
    weights = torch.softmax(top / sampling.temperature, dim=-1)
    before = weights.cumsum(-1) - weights
    # The nucleus: tokens whose predecessors sum to less than top_p; never empty.
    weights = weights.masked_fill(before >= sampling.top_p, 0.0)
    cumulative = weights.cumsum(-1)
    chosen = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1, keepdim=True)
    return tokens.gather(-1, chosen.clamp_(max=tokens.shape[-1] - 1)).squeeze(-1)
