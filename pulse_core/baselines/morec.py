"""MoRec (Yuan et al. 2023, "Where to Go Next for Recommender Systems?"): items are represented by titles, not ids.

An item vector is the text encoding of the title, then Linear and GELU; a user state is the output of post-norm
self-attention over item vectors; a score is their inner product. `encoder_layers` sets how much of the encoder is
trained.
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pulse_core.baselines.domain import Domain
from pulse_core.baselines.sasrec import IDModel
from pulse_core.baselines.settings.morec import MoRecSettings
from pulse_core.baselines.text_tower import TextTower, parameter_groups
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, Pooling
from pulse_core.sequence.batches import draw_negatives, training_batches
from pulse_core.sequence.model import SASRec, binary_loss, softmax_loss
from pulse_core.training_loop import finite, trained_state

log = logging.getLogger("pulse")
Parts = list[tuple[Tensor, Tensor]]


def debiased_batch_loss(
    states: Tensor,
    item_vectors: Tensor,
    targets: Tensor,
    users: Tensor,
    purchases: Tensor,
    counts: Tensor,
    popularity: Tensor,
) -> Tensor:
    """In-batch cross-entropy with popularity correction (the better of the authors' strategies).

    -log( exp(y_t - log p_t) / (exp(y_t - log p_t) + sum of exp(y_j - log p_j) over the batch's items j outside the
    user's sequence) ), mean over positions. An item that occurs k times in the batch counts k times.

    Args:
        states: (positions, dim).
        item_vectors: (items, dim), the batch's distinct items; the other arguments index them by row.
        targets: (positions,) item after each position.
        users: (positions,) row of `purchases`.
        purchases: (users, items) bool, the items of each user's sequence.
        counts: (items,) occurrences in the batch.
        popularity: (items,) share p of all training purchases.
    """
    logits = states @ item_vectors.T - popularity.log()
    negatives = (logits + counts.log()).masked_fill(purchases[users], -torch.inf)
    positive = logits.gather(1, targets[:, None])
    return (torch.logsumexp(torch.cat([positive, negatives], dim=1), dim=1) - positive[:, 0]).mean()


class MoRec(IDModel):
    """MoRec with one trial's settings, `titles` by item code and the directory of the prepared text encoder."""

    label = "MoRec"
    settings: MoRecSettings

    def __init__(
        self,
        domain: Domain,
        titles: Sequence[str],
        settings: MoRecSettings,
        seed: int,
        encoder: Path,
        pooling: Pooling = "mean",
        dtype: str = "auto",
    ) -> None:
        text_encoder = Encoder(encoder, settings.title_tokens, pooling, dtype, "title_tokens")
        self.text = TextTower(text_encoder, titles, settings.encoder_layers)
        super().__init__(domain, settings, seed)
        self.titles, self.loss, self.device = list(titles), settings.loss, self.text.device
        if settings.loss == "ce" and domain.item_count > settings.whole_catalogue:
            self.loss = "batch_ce"
            log.warning("MoRec: %d items exceed whole_catalogue; using the in-batch softmax", domain.item_count)
        self.network = nn.ModuleDict({"encoder": self.text, "project": self.project, "users": self.model})
        self.network.to(self.device)
        self._with_items: SASRec | None = None

    def new_backbone(self) -> SASRec:
        """The user tower; draws the layer after the encoder, too."""
        users = SASRec(0, self.settings, post_norm=True)
        users.items.requires_grad_(False)  # unused: `ranking_model` has item vectors instead of id embeddings
        linear = nn.Linear(self.text.dim, self.settings.dimension)
        nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.project = nn.Sequential(linear, nn.GELU())
        return users

    @torch.no_grad()
    def ranking_model(self) -> SASRec:
        """A CPU copy of the user tower with item vectors instead of id embeddings."""
        if self._with_items is None:
            self.network.eval()
            vectors = self.project(self.text(np.arange(self.domain.item_count))).cpu()  # (items, dim)
            model = copy.deepcopy(self.model).cpu()
            model.items = nn.Embedding.from_pretrained(torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors]))
            self._with_items = model
        return self._with_items

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        tower = (self.project, self.model)
        groups = parameter_groups(tower, settings.learning_rate, self.text, settings.encoder_learning_rate)
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)

        def epoch(_: int, generator: np.random.Generator) -> list[float]:
            self._with_items = None
            return self._epoch(optimiser, generator)

        record = self.train(epoch, optimiser, checkpoint, self.titles, self.text.identity)
        self._with_items = None  # the best weights are back
        return {"loss": self.loss} | record

    def _epoch(self, optimiser: torch.optim.Optimizer, generator: np.random.Generator) -> list[float]:
        settings, sequences = self.settings, self.domain.sequences
        batches = list(training_batches(sequences, settings.batch_size, settings.max_length, generator))
        losses: list[float] = []
        for start in range(0, len(batches), settings.encoder_every):
            group = batches[start : start + settings.encoder_every]
            negatives = [np.zeros(0, dtype=np.int64)] * len(group)
            if self.loss == "bce":
                negatives = [draw_negatives(parts, self.domain.item_count, generator) for parts in group]
            items = self._items_of(group, negatives)
            encoded = self.text(items)  # (items, encoder width), once per group
            vectors = encoded.detach().requires_grad_(encoded.requires_grad)
            for number, (parts, negative_items) in enumerate(zip(group, negatives, strict=True)):
                optimiser.zero_grad(set_to_none=True)
                loss = self._loss(parts, items, self.project(vectors), negative_items)
                loss.backward()
                if number == len(group) - 1 and vectors.grad is not None:
                    encoded.backward(vectors.grad / len(group))
                optimiser.step()  # skips the encoder unless it has a gradient
                losses.append(finite(loss.item(), "MoRec", "learning_rate"))
        return losses

    def _items_of(self, group: list[Parts], negatives: list[np.ndarray]) -> np.ndarray:
        """Codes of the items to encode for these batches, sorted."""
        if self.loss == "ce":
            return np.arange(self.domain.item_count)
        padded = np.concatenate([codes.numpy().ravel() for parts in group for pair in parts for codes in pair])
        return np.unique(np.concatenate([padded[padded > 0] - 1, *negatives]))

    def _loss(self, parts: Parts, items: np.ndarray, vectors: Tensor, negatives: np.ndarray) -> Tensor:
        """Mean loss over a batch's positions; vectors (items, dim)."""
        row_of = torch.zeros(self.domain.item_count + 1, dtype=torch.long)  # row of `table` by code + 1; 0: padding
        row_of[torch.from_numpy(items) + 1] = torch.arange(1, len(items) + 1)
        table = torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors])
        states, targets, users, user_count = [], [], [], 0
        for inputs, next_items in parts:
            real = next_items > 0
            embedded = functional.embedding(row_of[inputs].to(self.device), table)
            states.append(self.model.encode(embedded)[real.to(self.device)])
            targets.append(row_of[next_items[real]] - 1)
            users.append(real.nonzero()[:, 0] + user_count)
            user_count += len(inputs)
        positives = torch.cat(targets).to(self.device)
        if self.loss == "ce":
            return softmax_loss(torch.cat(states), vectors, positives)
        if self.loss == "bce":
            drawn = row_of[torch.from_numpy(negatives) + 1].to(self.device) - 1
            return binary_loss(torch.cat(states), vectors, positives, drawn)
        occurrences = []
        for inputs, next_items in parts:
            rows = row_of[torch.cat([inputs[:, :1], next_items], dim=1)]
            occurrences.append(torch.zeros(len(rows), len(items) + 1).scatter_add_(1, rows, torch.ones(rows.shape)))
        purchases = torch.cat(occurrences)[:, 1:]  # (users, items)
        popularity = torch.from_numpy(self.domain.popularity[items] / self.domain.popularity.sum()).float()
        rest = (torch.cat(users), purchases > 0, purchases.sum(dim=0), popularity)
        return debiased_batch_loss(torch.cat(states), vectors, positives, *(x.to(self.device) for x in rest))

    def tensors(self) -> dict[str, Tensor]:
        """The trained parameters, without the encoder's frozen layers."""
        return trained_state(self.network)
