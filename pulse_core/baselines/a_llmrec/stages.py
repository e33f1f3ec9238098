"""Stages 0 and 1: the sequence model, and the codes in which its items and their texts meet."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pulse_core.baselines.a_llmrec.alignment import Aligner, Views, alignment_loss, alignment_terms
from pulse_core.baselines.a_llmrec.soft_tokens import FrozenLanguageModel
from pulse_core.baselines.domain import Domain
from pulse_core.baselines.sasrec import SASRecBaseline
from pulse_core.baselines.settings.a_llmrec import AlignmentSettings, ALLMRecSettings
from pulse_core.baselines.text_tower import TextTower
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, Pooling
from pulse_core.errors import InputError
from pulse_core.keys import Key
from pulse_core.models import device
from pulse_core.seeding import derive_seed
from pulse_core.sequence.full_ranking import ranking_metrics, ranks_by_product
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.states import states
from pulse_core.training_loop import Figures, Schedule, descend, fit_epochs, trained_state


@dataclass(frozen=True)
class Given:
    """What the system is made of."""

    everyone: Domain  # stages 0 and 1 learn from every user, and are validated on every user
    domain: Domain  # the sampled users, whose examples stage 2 learns from
    titles: Sequence[str]  # by item code
    texts: Sequence[str]  # "title, description", by item code
    encoder: Path
    slm: Path
    rationales: Mapping[Key, str] | None = None  # with them it is A-LLMRec + Reason
    pooling: Pooling = "mean"  # of the encoder, as its arithmetic
    dtype: str = "auto"


@dataclass(frozen=True)
class Aligned:
    """What stage 2 stands on."""

    model: SASRec
    codes: Tensor  # (items, c)
    record: dict[str, Any]
    tensors: dict[str, Tensor]

    @cached_property
    def digest(self) -> str:
        """A hash of all that stage 2 reads of it."""
        parts = [self.codes, *self.model.state_dict().values()]
        return hashlib.sha256(b"".join(part.detach().cpu().numpy().tobytes() for part in parts)).hexdigest()


@dataclass
class Shared:
    """What trials have in common: the language model, and stages 0 and 1 where their settings are the same."""

    given: Given
    seed: int
    _aligned: dict[str, Aligned] = field(default_factory=dict)
    _language_models: dict[str, FrozenLanguageModel] = field(default_factory=dict)

    def language_model(self, dtype: str) -> FrozenLanguageModel:
        """The frozen language model."""
        if dtype not in self._language_models:
            self._language_models[dtype] = FrozenLanguageModel(self.given.slm, dtype)
        return self._language_models[dtype]

    def aligned(self, settings: ALLMRecSettings, checkpoint: Checkpoint) -> Aligned:
        """Stages 0 and 1 under these settings, trained once."""
        key = json.dumps(settings.model_dump(include={"collaborative", "alignment"}))
        if key not in self._aligned:
            self._aligned[key] = align(self.given, settings, self.seed, checkpoint)
        return self._aligned[key]


@contextmanager
def errors_of(section: str) -> Iterator[None]:
    """Errors name the section of the system's settings that they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{section}: {error}") from error


def align(given: Given, settings: ALLMRecSettings, seed: int, checkpoint: Checkpoint) -> Aligned:
    """Train stage 0, freeze it, and train stage 1 on it. Equal seeds give equal codes."""
    collaborative = SASRecBaseline(given.everyone, settings.collaborative, derive_seed(seed, "collaborative"))
    with errors_of("collaborative"):
        record = {"collaborative": collaborative.fit(checkpoint.part("collaborative"))}
    model = collaborative.model.requires_grad_(False).eval()
    chosen = settings.alignment
    with errors_of("alignment"):
        encoder = Encoder(given.encoder, chosen.text_tokens, given.pooling, given.dtype, "text_tokens")
        texts = TextTower(encoder, given.texts, chosen.encoder_layers)
        stage = _Alignment(given.everyone, model, texts, chosen, derive_seed(seed, "alignment"))
        record["alignment"] = stage.fit(checkpoint.part("alignment"))
    tensors = {f"collaborative/{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"alignment/{name}": value for name, value in trained_state(stage).items()}
    return Aligned(model, stage.codes(), record, tensors)


class _Alignment(nn.Module):
    """Stage 1: the last position of every user, with one negative (section 4.1)."""

    def __init__(self, domain: Domain, model: SASRec, texts: TextTower, settings: AlignmentSettings, seed: int) -> None:
        super().__init__()
        self.settings, self.seed, self.domain = settings, seed, domain
        self.items = model.item_vectors().detach().clone()  # (items, d)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            self.aligner = Aligner(self.items.shape[1], texts.dim, settings.code_dimension)
        self.texts = texts
        self.to(device())
        learned = [sequence for sequence in domain.sequences if len(sequence) > 1]
        self._owned = [np.asarray(sequence) for sequence in learned]
        self._targets = np.array([sequence[-1] for sequence in learned])
        self._states = torch.from_numpy(states(model, [sequence[:-1] for sequence in learned]))
        self._held = states(model, domain.validation.histories)

    def _views(self, items: np.ndarray) -> Views:
        return self.aligner(self.items[torch.from_numpy(items)].to(device()), self.texts(items))

    def _negatives(self, users: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """An item each that the user did not buy in training."""
        drawn = generator.integers(0, len(self.items), size=len(users))
        for row, user in enumerate(users):
            while drawn[row] in self._owned[user]:
                drawn[row] = generator.integers(0, len(self.items))
        return drawn

    def terms(self, users: np.ndarray, generator: np.random.Generator) -> dict[str, Tensor]:
        """The losses of these users (rows of those with two training purchases)."""
        negatives = self._negatives(users, generator)
        of_users = self._states[torch.from_numpy(users)].to(device())
        return alignment_terms(of_users, self._views(self._targets[users]), self._views(negatives))

    @torch.no_grad()
    def codes(self) -> Tensor:
        """(items, c): an item's collaborative code, or its text's where nobody bought it in training (section 4.3)."""
        every = np.arange(len(self.items))
        parts = [self._views(every[start : start + 256]) for start in range(0, len(every), 256)]
        by_item = torch.cat([part.item_code.cpu() for part in parts])
        by_text = torch.cat([part.text_code.cpu() for part in parts])
        return torch.where(torch.from_numpy(self.domain.popularity > 0)[:, None], by_item, by_text)

    @torch.no_grad()
    def _validate(self) -> Figures:
        self.eval()
        decoded = self.aligner.item_decoder(self.aligner.item_codes(self.items.to(device()))).cpu().numpy()
        held = self.domain.validation
        return ranking_metrics(ranks_by_product(self._held, decoded, held.histories, held.targets))

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        groups = [{"params": list(self.aligner.parameters()), "lr": settings.learning_rate}]
        if trained := [parameter for parameter in self.texts.parameters() if parameter.requires_grad]:
            groups.append({"params": trained, "lr": settings.text_learning_rate})
        optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))

        def epoch(_number: int, generator: np.random.Generator) -> float:
            return float(np.mean(descend(optimiser, losses(generator), "A-LLMRec, stage 1")))

        def losses(generator: np.random.Generator) -> Iterator[Tensor]:
            order = generator.permutation(len(self._owned))
            for start in range(0, len(order), settings.batch_users):
                terms = self.terms(order[start : start + settings.batch_users], generator)
                yield alignment_loss(terms, settings.item_weight, settings.text_weight)

        schedule = Schedule(settings.epochs, settings.evaluate_every, settings.patience)
        with torch.no_grad():  # what the encoder says of the texts, before any step
            text = hashlib.sha256(self.texts(np.arange(len(self.items))).cpu().numpy().tobytes()).hexdigest()
        item = hashlib.sha256(self.items.numpy().tobytes()).hexdigest()
        done = fit_epochs(
            "A-LLMRec: alignment",
            self,
            optimiser,
            epoch,
            self._validate,
            schedule,
            self.seed,
            device(),
            checkpoint,
            determined_by=(self.domain.fingerprint, settings.model_dump(), item, text, self.texts.made_of),
        )
        with torch.no_grad():
            terms = self.terms(np.arange(len(self._owned)), np.random.default_rng(self.seed))
        return {**done.record(), "losses": {name: float(value) for name, value in terms.items()}}
