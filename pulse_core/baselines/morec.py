"""MoRec (Yuan et al. 2023, "Where to Go Next for Recommender Systems?"): items are texts, there are no item ids.

An item is its title, read by a text encoder, then Linear and GELU; a user is the state of post-norm self-attention
blocks over these vectors; a score is their inner product. The encoder is trained end to end, or its top layers alone,
or nothing of it (`encoder_layers`).
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
    states: Tensor, item_vectors: Tensor, targets: Tensor, owners: Tensor, held: Tensor, times: Tensor, share: Tensor
) -> Tensor:
    """In-batch cross-entropy, every logit less the log of its item's popularity (the authors' better strategy).

    -log( exp(y_t - log p_t) / (exp(y_t - log p_t) + sum over the batch's items j that are not the user's of
    exp(y_j - log p_j)) ), mean over positions. An item that stands in the batch several times counts as often.

    Args:
        states: (positions, dim).
        item_vectors: (items, dim) of the batch's distinct items; all that follows numbers them.
        targets: (positions,) item of each position.
        owners: (positions,) user of each position.
        held: (users, items) bool, the items of each user's sequence.
        times: (items,) how often each stands in the batch.
        share: (items,) popularity p.
    """
    logits = states @ item_vectors.T - share.log()
    negatives = (logits + times.log()).masked_fill(held[owners], -torch.inf)
    own = logits.gather(1, targets[:, None])
    return (torch.logsumexp(torch.cat([own, negatives], dim=1), dim=1) - own[:, 0]).mean()


class MoRec(Recommender):
    """One MoRec under one trial's settings.

    Args:
        titles: of each item, by code.
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
            log.warning("MoRec: %d items are too many for a softmax over all: it is over the batch", domain.item_count)
        reader = Encoder(encoder, settings.title_tokens, pooling, dtype, "title_tokens")
        text = TextTower(reader, titles, settings.encoder_layers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            width = settings.dimension
            users = SASRec(0, width, settings.blocks, settings.heads, settings.dropout, settings.max_length, True)
            linear = nn.Linear(text.dim, width)
            nn.init.xavier_normal_(linear.weight)
            nn.init.zeros_(linear.bias)
            project = nn.Sequential(linear, nn.GELU())
        users.items.requires_grad_(False)  # no ids: what looks items up is given their texts' vectors
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
        """The user tower with the items' vectors in the place of id embeddings, on the CPU: how it is evaluated."""
        vectors = self.item_vectors().cpu()
        model = copy.deepcopy(self.users).cpu()
        model.items = nn.Embedding.from_pretrained(torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors]))
        return model

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        held = self.domain.validation
        own = [each for part in (self.project, self.users) for each in part.parameters() if each.requires_grad]
        read = [each for each in self.text.parameters() if each.requires_grad]
        groups: list[dict[str, Any]] = [{"params": own, "lr": settings.learning_rate}]
        if read:
            groups.append({"params": read, "lr": settings.encoder_learning_rate})
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)

        def validate() -> Figures:
            return ranking_metrics(full_ranks(self._with_items(), held.histories, held.targets))

        schedule = Schedule(settings.epochs, settings.evaluate_every, settings.patience)
        done = fit_epochs(
            "MoRec",
            self.network,
            optimiser,
            lambda _number, generator: self._epoch(optimiser, generator),
            validate,
            schedule,
            self.seed,
            self.device,
            checkpoint,
            determined_by=(self.domain.fingerprint, self.titles, self.text.made_of, settings.model_dump()),
        )
        self._ready = self._with_items()
        return {"loss": self.loss} | done.record()

    def _epoch(self, optimiser: torch.optim.Optimizer, generator: np.random.Generator) -> float:
        settings = self.settings
        drawn = training_batches(self.domain.sequences, settings.batch_size, settings.max_length, generator)
        batches = list(drawn)
        losses: list[float] = []
        for start in range(0, len(batches), settings.encoder_every):
            group = batches[start : start + settings.encoder_every]
            negatives = [self._negatives(parts, generator) for parts in group]
            items = self._items_of(group, negatives)
            encoded = self.text(items)  # (items, encoder's dim): once for all batches of the group
            vectors = encoded.detach().requires_grad_(encoded.requires_grad)
            for number, (parts, drawn_items) in enumerate(zip(group, negatives, strict=True)):
                optimiser.zero_grad(set_to_none=True)
                loss = self._loss(parts, items, self.project(vectors), drawn_items)
                loss.backward()
                if number == len(group) - 1 and vectors.grad is not None:
                    encoded.backward(vectors.grad / len(group))
                optimiser.step()  # leaves the encoder alone where it has no gradient
                losses.append(finite(loss.item(), "MoRec", "learning_rate"))
        return float(np.mean(losses))

    def _negatives(self, parts: Parts, generator: np.random.Generator) -> np.ndarray:
        if self.loss != "bce":
            return np.zeros(0, dtype=np.int64)
        return draw_negatives(parts, self.domain.item_count, generator)

    def _items_of(self, group: list[Parts], negatives: list[np.ndarray]) -> np.ndarray:
        """The items that these batches need, sorted."""
        if self.loss == "ce":
            return np.arange(self.domain.item_count)
        padded = np.concatenate([each.numpy().ravel() for parts in group for pair in parts for each in pair])
        return np.unique(np.concatenate([padded[padded > 0] - 1, *negatives]))

    def _loss(self, parts: Parts, items: np.ndarray, vectors: Tensor, negatives: np.ndarray) -> Tensor:
        """Mean loss over a batch's positions; vectors (items, dim)."""
        place = torch.zeros(self.domain.item_count + 1, dtype=torch.long)  # of an item's code + 1; 0 for padding
        place[torch.from_numpy(items) + 1] = torch.arange(1, len(items) + 1)
        table = torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors])
        states, targets, owners, users = [], [], [], 0
        for inputs, wanted in parts:
            real = wanted > 0
            read = functional.embedding(place[inputs].to(self.device), table)
            states.append(self.users.encode(read)[real.to(self.device)])
            targets.append(place[wanted[real]] - 1)
            owners.append(real.nonzero()[:, 0] + users)
            users += len(inputs)
        codes = torch.cat(targets).to(self.device)
        if self.loss == "ce":
            return softmax_loss(torch.cat(states), vectors, codes)
        if self.loss == "bce":
            drawn = place[torch.from_numpy(negatives) + 1].to(self.device) - 1
            return binary_loss(torch.cat(states), vectors, codes, drawn)
        held, times = self._of_batch(parts, place, users, len(items))
        share = torch.from_numpy(self.domain.popularity[items] / self.domain.popularity.sum()).float()
        others = (torch.cat(owners), held, times, share)
        return debiased_batch_loss(torch.cat(states), vectors, codes, *(each.to(self.device) for each in others))

    def _of_batch(self, parts: Parts, place: Tensor, users: int, items: int) -> tuple[Tensor, Tensor]:
        """Which items each user's sequence holds, (users, items) bool, and how often each stands in the batch."""
        held, start = torch.zeros(users, items + 1), 0
        for inputs, wanted in parts:
            sequence = torch.cat([inputs[:, :1], wanted], dim=1)
            held[start : start + len(inputs)].scatter_add_(1, place[sequence], torch.ones(sequence.shape))
            start += len(inputs)
        return held[:, 1:] > 0, held[:, 1:].sum(dim=0)

    @property
    def _model(self) -> SASRec:
        self._ready = self._ready or self._with_items()
        return self._ready

    def scores(self, examples: Examples) -> np.ndarray:
        return score_candidates(self._model, examples.histories, examples.candidates)

    def full_ranks(self, examples: Examples) -> np.ndarray:
        return full_ranks(self._model, examples.histories, examples.targets)

    def tensors(self) -> dict[str, Tensor]:
        """What was trained: of the encoder its trained layers alone."""
        return trained_state(self.network)
