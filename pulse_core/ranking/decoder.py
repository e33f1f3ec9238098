"""Parts of a causal language model, run by transformers' own `forward`.

Model families differ in what surrounds the layers: rotary embeddings and windows per layer (Gemma 3), multipliers of
embeddings (Granite), scaled or capped logits (Granite, Gemma). So layers are skipped by placeholders in their places,
and everything else stays the library's.
"""

import copy
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from pulse_core.ranking.layout import Batch


class _Skipped(nn.Module):
    """Placeholder for a layer: passes its input on, or `states` instead of it."""

    def __init__(self, states: torch.Tensor | None = None) -> None:
        super().__init__()
        self.states = states

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> torch.Tensor:
        return hidden_states if self.states is None else self.states


class _Selected(nn.Module):
    """A decoder that returns the states at `places` only, as one sequence."""

    def __init__(self, decoder: nn.Module, places: torch.Tensor) -> None:
        super().__init__()
        self.decoder, self.places = decoder, places

    def forward(self, **inputs: Any) -> BaseModelOutputWithPast:
        states = self.decoder(**inputs).last_hidden_state
        return BaseModelOutputWithPast(last_hidden_state=states[self.places[:, 0], self.places[:, 1]][None])


def _copied(module: Any) -> Any:
    """A shallow copy whose submodules can be replaced without changing `module`."""
    part = copy.copy(module)
    part._modules = dict(part._modules)
    part.__dict__.pop("forward", None)  # accelerate's hook on 4-bit models would call the original's
    return part


def lower_decoder(decoder: Any, layers: int) -> Any:
    """The decoder up to and including its first `layers` layers, without the final norm."""
    part = _copied(decoder)
    part.layers = nn.ModuleList([*part.layers[:layers], *(_Skipped() for _ in part.layers[layers:])])
    part.norm = nn.Identity()
    return part


def upper_decoder(decoder: Any, layers: int, states: torch.Tensor) -> Any:
    """The decoder from `states`, the output of its first `layers` layers, to the end; it takes the same inputs."""
    part = _copied(decoder)
    if layers:
        skipped = [_Skipped() for _ in range(layers - 1)]
        part.layers = nn.ModuleList([*skipped, _Skipped(states), *part.layers[layers:]])
    return part


def log_probabilities(model: Any, decoder: nn.Module, batch: Batch, **inputs: Any) -> torch.Tensor:
    """(T,) float32 log-probabilities of the candidates' tokens under the causal `model` with `decoder` in it.

    The table of log-probabilities, (T, V), is never materialised.
    """
    part = _copied(model)
    part.model = _Selected(decoder, batch.source)
    logits = part(**inputs).logits[0].float()  # (T, V)
    predicted = batch.predicted.to(logits.device)
    return logits.gather(-1, predicted[:, None]).squeeze(-1) - logits.logsumexp(-1)


def attention_inputs(config: Any, batch: Batch, device: torch.device, *, eager: bool = False) -> dict[str, Any]:
    """Masks and positions of a packed batch for the model's decoder; `eager` attention adds masks to its scores."""
    positions = batch.positions.to(device)
    masks = {"full_attention": batch.mask.to(device)}
    if window := getattr(config, "sliding_window", None):
        distance = positions[:, None, :, None] - positions[:, None, None, :]
        masks["sliding_attention"] = masks["full_attention"] & (distance < window)
    if eager:
        lowest = torch.finfo(torch.float32).min
        masks = {kind: torch.where(mask, 0.0, lowest) for kind, mask in masks.items()}
    # Models without layer types have one kind of layer.
    by_layer = window and getattr(config, "layer_types", None)
    mask = masks if by_layer else list(masks.values())[-1]
    return {"attention_mask": mask, "position_ids": positions, "use_cache": False}
