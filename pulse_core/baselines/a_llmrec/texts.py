"""Text embeddings of items, by a frozen encoder or by one whose top layers are trained along."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pulse_core.errors import InputError
from pulse_core.models import device
from pulse_core.thought_space.encoder import Encoder


class ItemTexts(nn.Module):
    """What stage 1 reads of each item's "title, description".

    An encoder's vectors have unit norm; here they are as long as the root of their width, so that each component, and
    with it the reconstruction's error, is of order one as with an encoder that does not normalise.

    Args:
        texts: by item code.
        encoder: directory of the encoder.
        trained_layers: top layers to train; 0 embeds every item once.

    Raises:
        InputError: the encoder has fewer layers.
    """

    def __init__(self, texts: Sequence[str], encoder: Path, max_tokens: int, trained_layers: int) -> None:
        super().__init__()
        self._encoder = Encoder(encoder, max_tokens)
        self.width = self._encoder.dim
        self.first = torch.from_numpy(self._encoder.encode(texts) * np.float32(self.width**0.5))  # (items, w)
        self._tokens: list[list[int]] = []
        if trained_layers:
            layers = max((m for m in self._encoder.model.modules() if isinstance(m, nn.ModuleList)), key=len)
            if trained_layers > len(layers):
                raise InputError(
                    f"alignment.trained_text_layers: got {trained_layers}, but {encoder} has {len(layers)} layers"
                )
            self._encoder.model.requires_grad_(False)
            self.layers = layers[len(layers) - trained_layers :].requires_grad_(True)
            self._tokens = self._encoder.tokens(texts)

    def forward(self, items: Tensor) -> Tensor:
        """(n, w) embeddings of the items (n,), with gradients where layers are trained."""
        if not self._tokens:
            return self.first[items].to(device())
        distinct, where = items.unique(return_inverse=True)
        vectors = self._encoder.embed([self._tokens[item] for item in distinct.tolist()])
        return vectors[where.to(vectors.device)] * self.width**0.5
