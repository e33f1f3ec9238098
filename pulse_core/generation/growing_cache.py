"""A key-value cache that writes new tokens in place.

transformers' DynamicCache copies the whole cache at every token; with 100 sequences on a CPU that costs as much as the
arithmetic. This one allocates ahead and returns views.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer

RESERVE = 64  # tokens allocated ahead: about the length of a rationale, so one allocation usually suffices


class GrowingLayer(DynamicLayer):
    """One layer's keys and values, (batch, kv_heads, tokens, head_dim), as views of larger blocks."""

    blocks: tuple[torch.Tensor, torch.Tensor] | None = None
    """None when the views were replaced and the blocks no longer match them."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple:
        """Append tokens; returns all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        used = self.get_seq_length()
        total = used + key_states.shape[-2]
        if self.blocks is None or self.blocks[0].shape[2] < total:
            self.blocks = (_reserved(self.keys, key_states, used), _reserved(self.values, value_states, used))
        for block, states in zip(self.blocks, (key_states, value_states), strict=True):
            block[:, :, used:total] = states
        self.keys, self.values = (block[:, :, :total] for block in self.blocks)
        return self.keys, self.values


def _reserved(old: torch.Tensor, new: torch.Tensor, used: int) -> torch.Tensor:
    """A block that begins with the `used` tokens of `old` and has room for `new` and RESERVE more."""
    batch, heads, tokens, dim = new.shape
    block = new.new_empty(batch, heads, used + tokens + RESERVE, dim)
    if used:
        block[:, :, :used] = old
    return block


class GrowingCache(DynamicCache):
    """A DynamicCache of `GrowingLayer`s."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.layers: list[Any] = [GrowingLayer() for _ in range(config.num_hidden_layers)]
        self.layer_class_to_replicate = None

    def layer_states(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of each layer, (batch, kv_heads, tokens, head_dim)."""
        return [(layer.keys, layer.values) for layer in self.layers]

    def take_rows(self, rows: torch.Tensor) -> None:
        """Select the sequences `rows` (repeats allowed), in that order."""
        for layer in self.layers:
            layer.keys, layer.values, layer.blocks = layer.keys[rows], layer.values[rows], None

    @classmethod
    def joined(cls, config: PretrainedConfig, caches: Sequence["GrowingCache"]) -> "GrowingCache":
        """One cache with the rows of all, left-padded to the longest (the caller masks the padding)."""
        whole = cls(config)
        longest = max(cache.get_seq_length() for cache in caches)
        for layer, *parts in zip(whole.layers, *(cache.layer_states() for cache in caches), strict=True):
            padded = [[pad(states, (0, 0, longest - states.shape[2], 0)) for states in part] for part in parts]
            keys, values = zip(*padded, strict=True)
            layer.update(torch.cat(keys), torch.cat(values))
        return whole
