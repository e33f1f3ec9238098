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

from pulse_core.baselines.domain import Domain, Examples
from pulse_core.baselines.settings.morec import MoRecSettings
from pulse_core.baselines.system import Recommender
from pulse_core.baselines.text_tower import TextTower
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, Pooling
from pulse_core.seeding import derive_seed
from pulse_core.sequence.batches import draw_negatives, training_batches
from pulse_core.sequence.full_ranking import ranking_metrics
from pulse_core.sequence.losses import binary_loss, softmax_loss
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.states import full_ranks, score_candidates
from pulse_core.training_loop import Figures, Schedule, finite, fit_epochs, trained_state

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


class MoRec(Recommender):
    """MoRec with one trial's settings.

    Args:
        titles: by item code.
        encoder: directory of the prepared text encoder.
        pooling, dtype: how token states become one vector, and the encoder's arithmetic.
    """

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
        self.domain, self.seed, self.titles = domain, seed, list(titles)
        self.settings = settings
        self.loss = settings.loss
        if settings.loss == "ce" and domain.item_count > settings.whole_catalogue:
            self.loss = "batch_ce"
            log.warning("MoRec: %d items exceed whole_catalogue; using the in-batch softmax", domain.item_count)
        text_encoder = Encoder(encoder, settings.title_tokens, pooling, dtype, "title_tokens")
        text = TextTower(text_encoder, titles, settings.encoder_layers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            width = settings.dimension
            users = SASRec(0, width, settings.blocks, settings.heads, settings.dropout, settings.max_length, True)
            linear = nn.Linear(text.dim, width)
            nn.init.xavier_normal_(linear.weight)
            nn.init.zeros_(linear.bias)
            project = nn.Sequential(linear, nn.GELU())
        users.items.requires_grad_(False)  # unused: `_with_items` replaces the id embeddings
        self.device = text.device
        self.text, self.project, self.users = text, project.to(self.device), users.to(self.device)
        self.network = nn.ModuleDict({"encoder": self.text, "project": self.project, "users": self.users})
        self._ready: SASRec | None = None

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """Vectors of all items in evaluation mode, (items, dim)."""
        self.network.eval()
        return self.project(self.text(np.arange(self.domain.item_count)))

    def _with_items(self) -> SASRec:
        """A CPU copy of the user tower with item vectors instead of id embeddings, for evaluation."""
        vectors = self.item_vectors().cpu()
        model = copy.deepcopy(self.users).cpu()
        model.items = nn.Embedding.from_pretrained(torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors]))
        return model

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        validation = self.domain.validation
        tower = [p for part in (self.project, self.users) for p in part.parameters() if p.requires_grad]
        encoder = [p for p in self.text.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": tower, "lr": settings.learning_rate}]
        if encoder:
            groups.append({"params": encoder, "lr": settings.encoder_learning_rate})
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)

        def validate() -> Figures:
            return ranking_metrics(full_ranks(self._with_items(), validation.histories, validation.targets))

        schedule = Schedule(settings.epochs, settings.evaluate_every, settings.patience)
        training = fit_epochs(
            "MoRec",
            self.network,
            optimiser,
            lambda _number, generator: self._epoch(optimiser, generator),
            validate,
            schedule,
            self.seed,
            self.device,
            checkpoint,
            determined_by=(self.domain.fingerprint, self.titles, self.text.identity, settings.model_dump()),
        )
        self._ready = self._with_items()
        return {"loss": self.loss} | training.record()

    def _epoch(self, optimiser: torch.optim.Optimizer, generator: np.random.Generator) -> float:
        settings = self.settings
        drawn = training_batches(self.domain.sequences, settings.batch_size, settings.max_length, generator)
        batches = list(drawn)
        losses: list[float] = []
        for start in range(0, len(batches), settings.encoder_every):
            group = batches[start : start + settings.encoder_every]
            negatives = [self._negatives(parts, generator) for parts in group]
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
        return float(np.mean(losses))

    def _negatives(self, parts: Parts, generator: np.random.Generator) -> np.ndarray:
        if self.loss != "bce":
            return np.zeros(0, dtype=np.int64)
        return draw_negatives(parts, self.domain.item_count, generator)

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
            states.append(self.users.encode(embedded)[real.to(self.device)])
            targets.append(row_of[next_items[real]] - 1)
            users.append(real.nonzero()[:, 0] + user_count)
            user_count += len(inputs)
        positives = torch.cat(targets).to(self.device)
        if self.loss == "ce":
            return softmax_loss(torch.cat(states), vectors, positives)
        if self.loss == "bce":
            drawn = row_of[torch.from_numpy(negatives) + 1].to(self.device) - 1
            return binary_loss(torch.cat(states), vectors, positives, drawn)
        purchases, counts = self._purchases(parts, row_of, user_count, len(items))
        popularity = torch.from_numpy(self.domain.popularity[items] / self.domain.popularity.sum()).float()
        rest = (torch.cat(users), purchases, counts, popularity)
        return debiased_batch_loss(torch.cat(states), vectors, positives, *(x.to(self.device) for x in rest))

    def _purchases(self, parts: Parts, row_of: Tensor, users: int, items: int) -> tuple[Tensor, Tensor]:
        """`purchases` and `counts` of `debiased_batch_loss`."""
        occurrences, start = torch.zeros(users, items + 1), 0
        for inputs, next_items in parts:
            sequence = torch.cat([inputs[:, :1], next_items], dim=1)
            occurrences[start : start + len(inputs)].scatter_add_(1, row_of[sequence], torch.ones(sequence.shape))
            start += len(inputs)
        return occurrences[:, 1:] > 0, occurrences[:, 1:].sum(dim=0)

    @property
    def _model(self) -> SASRec:
        self._ready = self._ready or self._with_items()
        return self._ready

    def scores(self, examples: Examples) -> np.ndarray:
        return score_candidates(self._model, examples.histories, examples.candidates)

    def full_ranks(self, examples: Examples) -> np.ndarray:
        return full_ranks(self._model, examples.histories, examples.targets)

    def tensors(self) -> dict[str, Tensor]:
        """The trained parameters, without the encoder's frozen layers."""
        return trained_state(self.network)
