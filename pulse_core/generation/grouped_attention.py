"""Attention for a batch of sequences with a common prefix, with grouped queries.

Equal to standard attention up to rounding (tests/generation), but faster on a CPU, where reading the cache dominates:

- Keys and values of the common prefix (instructions and worked examples) are stored once and multiplied with the
  queries of the whole batch in one matrix product.
- The g query heads of a key head are treated as g times as many query positions, so keys and values are not repeated.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

NAME = "pulse_grouped"
KeysValues = tuple[torch.Tensor, torch.Tensor]  # (1, kv_heads, shared, head_dim) each


def grouped_attention(
    module: Any,
    query: torch.Tensor,  # (batch, heads, new, head_dim)
    key: torch.Tensor,  # (batch, kv_heads, tokens after the prefix, head_dim)
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # (batch or 1, 1, new, tokens after the prefix), boolean
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: Sequence[KeysValues] | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Implements transformers' attention interface; returns (batch, new, heads, head_dim) and no weights."""
    batch, heads, new, dim = query.shape
    kv_heads, tokens = key.shape[1], key.shape[2]
    group = heads // kv_heads
    folded = query.reshape(batch, kv_heads, group * new, dim)
    mask = attention_mask
    if mask is None and new > 1:
        mask = torch.ones(1, 1, new, tokens, dtype=torch.bool, device=query.device).tril(tokens - new)
    if mask is not None:
        mask = mask.repeat(1, 1, group, 1)
    if shared_prefix is None:
        out = scaled_dot_product_attention(folded, key, value, mask, dropout_p=dropout, scale=scaling)
    else:
        out = _with_prefix(folded, key, value, mask, shared_prefix[module.layer_idx], scaling or dim**-0.5)
    return out.reshape(batch, heads, new, dim).transpose(1, 2).contiguous(), None


def _with_prefix(
    query: torch.Tensor,  # (batch, kv_heads, queries, head_dim)
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    prefix: KeysValues,
    scale: float,
) -> torch.Tensor:
    """Joint softmax over prefix and remaining tokens; every query attends to the whole prefix."""
    batch, kv_heads, queries, dim = query.shape
    prefix_key, prefix_value = prefix[0][0], prefix[1][0]  # (kv_heads, shared, head_dim)
    shared = prefix_key.shape[1]
    together = query.transpose(0, 1).reshape(kv_heads, batch * queries, dim)
    on_prefix = (together @ prefix_key.transpose(1, 2)).view(kv_heads, batch, queries, shared).transpose(0, 1)
    on_rest = (query @ key.transpose(2, 3)).float()
    if mask is not None:
        on_rest = on_rest.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(torch.cat([on_prefix.float(), on_rest], -1).mul_(scale), -1).to(query.dtype)
    from_rest = weights[..., shared:] @ value
    flat = weights[..., :shared].transpose(0, 1).reshape(kv_heads, batch * queries, shared)
    return from_rest + (flat @ prefix_value).view(kv_heads, batch, queries, dim).transpose(0, 1)


def register() -> str:
    """Register the attention with transformers; returns its name."""
    AttentionInterface.register(NAME, grouped_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    return NAME
