"""A text encoder with trained top layers; the frozen layers' output is computed once per text and cached.

MoRec encodes item titles with it, CTRL prompts. Vectors are pooled token states without normalisation, since a linear
layer follows in both.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pulse_core.encoder import Encoder, pool_tokens
from pulse_core.errors import InputError

BATCH = 64  # texts of similar length per pass
CACHE_BYTES = 1_000_000_000  # maximum cache size; above it, the frozen layers run in every call


class PrecomputedStates(nn.Module):
    """Replaces a model's token embedding and returns the states passed as embeddings."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, *_: Any, **__: Any) -> Any:
        return inputs_embeds


class TextTower(nn.Module):
    """Vectors of a fixed list of texts; equal texts share one vector.

    `layers`: number of top layers to train; None: all, including token embeddings; 0: none. `encoder` is split, so it
    is unusable afterwards. Raises InputError if it has fewer layers, or they cannot be identified.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str], layers: int | None) -> None:
        super().__init__()
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        self._row_of = np.array([row_of[text] for text in texts])
        self._tokens = encoder.tokens(list(row_of))
        self._lengths = np.array([len(ids) for ids in self._tokens])
        self.dim, self.device, self.pooling = encoder.dim, encoder.device, encoder.pooling
        self.identity = (encoder.pooling, encoder.dtype, encoder.max_tokens, layers)
        self._bfloat16, self._padding = encoder.dtype == "bfloat16", encoder.tokenizer.pad_token_id or 0
        self.below: nn.Module | None = None
        self.top: nn.Module | None = encoder.model
        if layers is not None:
            self.below, self.top = split(encoder.model, layers)
            self.below.requires_grad_(False).eval()
        for name, parameter in self.named_parameters():
            if ".pooler." in name:  # unused: a head for next-sentence prediction
                parameter.requires_grad_(False)
        values = self.dim * (len(self._tokens) if layers == 0 else int(self._lengths.sum()))
        self._caches = layers is not None and 4 * values <= CACHE_BYTES
        self._cache: dict[int, Tensor] = {}

    def train(self, mode: bool = True) -> "TextTower":
        """Frozen layers stay in evaluation mode."""
        super().train(mode)
        if self.below is not None:
            self.below.eval()
        return self

    def forward(self, numbers: np.ndarray) -> Tensor:
        """Vectors of the texts with these indices, (n, dim) float32, with gradients for the trained layers."""
        if self._caches and not self._cache:
            # In fixed batches of all texts: rounding depends on the batch, and a resumed run makes other calls.
            for rows in self._batches(np.arange(len(self._tokens))):
                self._cache |= self._frozen_outputs(rows)
        distinct, back = np.unique(self._row_of[numbers], return_inverse=True)
        batches = list(self._batches(distinct))
        vectors = torch.cat([self._vectors(rows) for rows in batches])
        return vectors[torch.from_numpy(np.argsort(np.concatenate(batches))[back]).to(self.device)]

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        ordered = rows[np.argsort(self._lengths[rows], kind="stable")]
        for start in range(0, len(ordered), BATCH):
            yield ordered[start : start + BATCH]

    def _vectors(self, rows: np.ndarray) -> Tensor:
        if self.below is None:
            return self._pooled(self.top, rows)
        cached = self._cache or self._frozen_outputs(rows)
        outputs = [cached[row] for row in rows.tolist()]
        if self.top is None:
            return torch.stack(outputs)
        return self._pooled(self.top, rows, pad_sequence(outputs, batch_first=True))

    @torch.no_grad()
    def _frozen_outputs(self, rows: np.ndarray) -> dict[int, Tensor]:
        """Frozen layers' output by row: token states (T, dim), or the pooled vector (dim,) if all are frozen."""
        outputs: Iterable[Tensor]
        if self.top is None:
            outputs = self._pooled(self.below, rows)
        else:
            states = self._states(self.below, rows)[0].float()
            outputs = (state[:length].clone() for state, length in zip(states, self._lengths[rows], strict=True))
        return dict(zip(rows.tolist(), outputs, strict=True))

    def _states(self, model: Any, rows: np.ndarray, embedded: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Token states of these texts, (n, T, dim), and their mask, (n, T)."""
        tokens = [torch.tensor(self._tokens[row]) for row in rows]
        mask = pad_sequence([torch.ones_like(ids) for ids in tokens], batch_first=True).to(self.device)
        inputs = {"inputs_embeds": embedded}
        if embedded is None:
            ids = pad_sequence(tokens, batch_first=True, padding_value=self._padding)
            inputs = {"input_ids": ids.to(self.device)}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._bfloat16):
            return model(attention_mask=mask, **inputs).last_hidden_state, mask

    def _pooled(self, model: Any, rows: np.ndarray, embedded: Tensor | None = None) -> Tensor:
        return pool_tokens(*self._states(model, rows, embedded), self.pooling)


def parameter_groups(
    modules: Sequence[nn.Module], rate: float, tower: TextTower, tower_rate: float
) -> list[dict[str, Any]]:
    """Trained parameters for an optimiser; those of the tower, if any, have a learning rate of their own."""
    rest = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    layers = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    groups = [{"params": rest, "lr": rate}, {"params": layers, "lr": tower_rate}]
    return groups if layers else groups[:1]


def split(model: nn.Module, layers: int) -> tuple[nn.Module, nn.Module | None]:
    """Split off the top `layers`: (model below, model of the top layers that takes token states, or None)."""
    stack = layer_stack(model)
    if layers > len(stack):
        raise InputError(f"encoder_layers: got {layers}, the encoder has {len(stack)} (null trains all of it)")
    top: nn.Module | None = None
    if layers:
        top = copy.deepcopy(model)
        top.embeddings = PrecomputedStates()
        top_stack = layer_stack(top)
        del top_stack[: len(stack) - layers]
    del stack[len(stack) - layers :]
    return model, top


def layer_stack(model: Any) -> nn.ModuleList:
    """The list of the model's layers. Raises InputError if it or the token embedding has an unusual name."""
    layers = model.config.num_hidden_layers
    for module in model.modules() if hasattr(model, "embeddings") else ():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            return module
    raise InputError(f"encoder_layers: cannot identify the layers of {type(model).__name__}; train all of it (null)")
