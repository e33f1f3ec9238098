"""A text encoder whose top layers are trained: what the frozen layers below make of each text is computed once.

MoRec reads item titles with it and CTRL prompts. Vectors are pooled token states as they come, not of unit norm: a
linear layer follows in both.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pulse_core.encoder import Encoder, pool_tokens
from pulse_core.errors import InputError

BATCH = 64  # texts of like length run at once
KEPT_BYTES = 1_000_000_000  # token states kept at most; where there are more, the frozen layers run at every call


class GivenStates(nn.Module):
    """Stands where a model embeds tokens: hands on the states it is given as embeddings."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, *_: Any, **__: Any) -> Any:
        return inputs_embeds


class TextTower(nn.Module):
    """Vectors of a fixed list of texts; equal texts have one vector.

    Args:
        encoder: the text encoder, which this takes apart: it is of no use afterwards.
        texts: all texts it will ever read; `forward` is told their numbers.
        layers: so many of the encoder's top layers are trained; None: all, with the token embeddings; 0: none.

    Raises:
        InputError: the encoder has fewer layers, or keeps them where they are not found.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str], layers: int | None) -> None:
        super().__init__()
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        self._row_of = np.array([row_of[text] for text in texts])
        self._tokens = encoder.tokens(list(row_of))
        self._lengths = np.array([len(each) for each in self._tokens])
        self.dim, self.device, self.pooling = encoder.dim, encoder.device, encoder.pooling
        self.made_of = (encoder.pooling, encoder.dtype, encoder.max_tokens, layers)
        self._bfloat16, self._padding = encoder.dtype == "bfloat16", encoder.tokenizer.pad_token_id or 0
        self.below: nn.Module | None = None
        self.top: nn.Module | None = encoder.model
        if layers is not None:
            self.below, self.top = split(encoder.model, layers)
            self.below.requires_grad_(False).eval()
        for name, parameter in self.named_parameters():
            if ".pooler." in name:  # made for next-sentence prediction; nothing here reads it
                parameter.requires_grad_(False)
        held = self.dim * (len(self._tokens) if layers == 0 else int(self._lengths.sum()))
        self._keeps = layers is not None and 4 * held <= KEPT_BYTES
        self._kept: dict[int, Tensor] = {}

    def train(self, mode: bool = True) -> "TextTower":
        """The frozen layers never drop anything out."""
        super().train(mode)
        if self.below is not None:
            self.below.eval()
        return self

    def forward(self, numbers: np.ndarray) -> Tensor:
        """Vectors of the texts of these numbers, (n, dim) float32, with gradients to the trained layers."""
        rows, back = np.unique(self._row_of[numbers], return_inverse=True)
        order = np.argsort(self._lengths[rows], kind="stable")
        parts = [self._vectors(rows[order[start : start + BATCH]]) for start in range(0, len(rows), BATCH)]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)[back]).to(self.device)]

    def _vectors(self, rows: np.ndarray) -> Tensor:
        lengths = torch.from_numpy(self._lengths[rows])
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long().to(self.device)
        if self.below is None:
            return self._pooled(self.top, mask, input_ids=self._ids(rows))
        if self._keeps and not self._kept:
            self._keep_all()
        found = self._kept if self._keeps else dict(zip(rows.tolist(), self._made_below(rows), strict=True))
        if self.top is None:
            return torch.stack([found[int(row)] for row in rows])
        states = pad_sequence([found[int(row)] for row in rows], batch_first=True)
        return self._pooled(self.top, mask, inputs_embeds=states)

    def _keep_all(self) -> None:
        """In batches that no call's texts decide: bits depend on them, and a resumed training's calls are others."""
        order = np.argsort(self._lengths, kind="stable")
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            self._kept |= dict(zip(rows.tolist(), self._made_below(rows), strict=True))

    @torch.no_grad()
    def _made_below(self, rows: np.ndarray) -> Iterator[Tensor]:
        """What the frozen layers make of each text: token states (T, dim), or the vector (dim,) if all are frozen."""
        lengths = self._lengths[rows]
        mask = (torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]).long().to(self.device)
        assert self.below is not None
        if self.top is None:
            return iter(self._pooled(self.below, mask, input_ids=self._ids(rows)))
        states = self._states(self.below, mask, input_ids=self._ids(rows)).float()
        return (each[:length].clone() for each, length in zip(states, lengths, strict=True))

    def _ids(self, rows: np.ndarray) -> Tensor:
        tokens = [torch.tensor(self._tokens[row]) for row in rows]
        return pad_sequence(tokens, batch_first=True, padding_value=self._padding).to(self.device)

    def _states(self, model: nn.Module | None, mask: Tensor, **given: Tensor) -> Tensor:
        assert model is not None
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._bfloat16):
            return model(attention_mask=mask, **given).last_hidden_state

    def _pooled(self, model: nn.Module | None, mask: Tensor, **given: Tensor) -> Tensor:
        return pool_tokens(self._states(model, mask, **given), mask, self.pooling)


def split(model: nn.Module, layers: int) -> tuple[nn.Module, nn.Module | None]:
    """(the model without its top `layers`, a model of these alone that takes token states for embeddings or None)."""
    stack = layer_stack(model)
    if layers > len(stack):
        raise InputError(f"encoder_layers: got {layers}, the encoder has {len(stack)} (null trains all of it)")
    top: nn.Module | None = None
    if layers:
        top = copy.deepcopy(model)
        top.embeddings = GivenStates()
        own = layer_stack(top)
        del own[: len(stack) - layers]
    del stack[len(stack) - layers :]
    return model, top


def layer_stack(model: Any) -> nn.ModuleList:
    """The list of the model's layers.

    Raises:
        InputError: there is no such list, or no token embeddings under the usual name.
    """
    layers = model.config.num_hidden_layers
    for module in model.modules() if hasattr(model, "embeddings") else ():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            return module
    raise InputError(f"encoder_layers: the layers of a {type(model).__name__} are not found; train all of it (null)")
