"""Stages 0 and 1: the sequence model, and the shared codes of its items and their texts."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from pulse_core.baselines.text_tower import TextTower, parameter_groups
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, Pooling
from pulse_core.errors import InputError
from pulse_core.keys import Key
from pulse_core.models import device
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.states import ranking_metrics, ranks_by_product, states
from pulse_core.training_loop import Figures, Schedule, descend, fit_epochs, trained_state


@dataclass(frozen=True)
class Inputs:
    """Data and models of the system."""

    everyone: Domain  # all users: training and validation of stages 0 and 1
    domain: Domain  # the sampled users: stage 2
    titles: Sequence[str]  # by item code
    texts: Sequence[str]  # "title, description", by item code
    encoder: Path
    slm: Path
    rationales: Mapping[Key, str] | None = None  # only for A-LLMRec + Reason
    pooling: Pooling = "mean"  # of the encoder, like dtype
    dtype: str = "auto"


@dataclass(frozen=True)
class Aligned:
    """The result of stages 0 and 1."""

    model: SASRec
    codes: Tensor  # (items, c)
    record: dict[str, Any]
    tensors: dict[str, Tensor]
    digest: str  # of everything that stage 2 uses


@dataclass
class Shared:
    """Shared by all trials: the language model, and stages 0 and 1 of trials with equal settings for them."""

    inputs: Inputs
    seed: int
    _aligned: dict[str, Aligned] = field(default_factory=dict)
    _language_models: dict[str, FrozenLanguageModel] = field(default_factory=dict)

    def language_model(self, dtype: str) -> FrozenLanguageModel:
        if dtype not in self._language_models:
            self._language_models[dtype] = FrozenLanguageModel(self.inputs.slm, dtype)
        return self._language_models[dtype]

    def aligned(self, settings: ALLMRecSettings, checkpoint: Checkpoint) -> Aligned:
        """Stages 0 and 1 with these settings, trained at the first call."""
        key = json.dumps(settings.model_dump(include={"collaborative", "alignment"}))
        if key not in self._aligned:
            self._aligned[key] = align(self.inputs, settings, self.seed, checkpoint)
        return self._aligned[key]


def align(inputs: Inputs, settings: ALLMRecSettings, seed: int, checkpoint: Checkpoint) -> Aligned:
    """Train stage 0, freeze it, and train stage 1 on it. Equal seeds give equal codes."""
    section = "collaborative"  # of the settings, for error messages
    try:
        collaborative = SASRecBaseline(inputs.everyone, settings.collaborative, derive_seed(seed, section))
        record = {section: collaborative.fit(checkpoint.part(section))}
        model = collaborative.model.requires_grad_(False).eval()
        section, chosen = "alignment", settings.alignment
        encoder = Encoder(inputs.encoder, chosen.text_tokens, inputs.pooling, inputs.dtype, "text_tokens")
        texts = TextTower(encoder, inputs.texts, chosen.encoder_layers)
        stage = _Alignment(inputs.everyone, model, texts, chosen, derive_seed(seed, section))
        record[section] = stage.fit(checkpoint.part(section))
    except InputError as error:
        raise InputError(f"{section}: {error}") from error
    tensors = {f"collaborative/{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"alignment/{name}": value for name, value in trained_state(stage).items()}
    codes = stage.codes()
    return Aligned(model, codes, record, tensors, digest_of(codes, *model.state_dict().values()))


def digest_of(*tensors: Tensor) -> str:
    """A hash of the tensors' bytes."""
    return hashlib.sha256(b"".join(tensor.cpu().numpy().tobytes() for tensor in tensors)).hexdigest()


class _Alignment(nn.Module):
    """Stage 1, trained on the last position of every user with one negative (section 4.1)."""

    def __init__(self, domain: Domain, model: SASRec, texts: TextTower, settings: AlignmentSettings, seed: int) -> None:
        super().__init__()
        self.settings, self.seed, self.domain = settings, seed, domain
        self.items = model.item_vectors().detach().clone()  # (items, d)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            self.aligner = Aligner(self.items.shape[1], texts.dim, settings.code_dimension)
        self.texts = texts
        self.to(device())
        self._purchases = [np.asarray(sequence) for sequence in domain.sequences if len(sequence) > 1]
        self._targets = np.array([sequence[-1] for sequence in self._purchases])
        self._states = torch.from_numpy(states(model, [sequence[:-1] for sequence in self._purchases]))
        self._validation_states = states(model, domain.validation.histories)

    def _views(self, items: np.ndarray) -> Views:
        return self.aligner(self.items[torch.from_numpy(items)].to(device()), self.texts(items))

    def terms(self, users: np.ndarray, generator: np.random.Generator) -> dict[str, Tensor]:
        """The losses of these users, given as rows of `_purchases`, with one negative outside each sequence."""
        negatives = generator.integers(0, len(self.items), size=len(users))
        for row, user in enumerate(users):
            while negatives[row] in self._purchases[user]:
                negatives[row] = generator.integers(0, len(self.items))
        user_states = self._states[torch.from_numpy(users)].to(device())
        return alignment_terms(user_states, self._views(self._targets[users]), self._views(negatives))

    @torch.no_grad()
    def codes(self) -> Tensor:
        """(items, c): collaborative codes, or text codes for items never bought in training (section 4.3)."""
        every = np.arange(len(self.items))
        parts = [self._views(every[start : start + 256]) for start in range(0, len(every), 256)]
        by_item = torch.cat([part.item_code.cpu() for part in parts])
        by_text = torch.cat([part.text_code.cpu() for part in parts])
        return torch.where(torch.from_numpy(self.domain.popularity > 0)[:, None], by_item, by_text)

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        groups = parameter_groups([self.aligner], settings.learning_rate, self.texts, settings.text_learning_rate)
        optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))

        @torch.no_grad()
        def validate() -> Figures:
            codes = torch.sigmoid(self.aligner.item_encoder(self.items.to(device())))
            decoded = self.aligner.item_decoder(codes).cpu().numpy()
            examples = self.domain.validation
            ranks = ranks_by_product(self._validation_states, decoded, examples.histories, examples.targets)
            return ranking_metrics(ranks)

        def losses(generator: np.random.Generator) -> Iterator[Tensor]:
            order = generator.permutation(len(self._purchases))
            for start in range(0, len(order), settings.batch_users):
                terms = self.terms(order[start : start + settings.batch_users], generator)
                yield alignment_loss(terms, settings.item_weight, settings.text_weight)

        with torch.no_grad():  # the untrained encoder's output
            embeddings = digest_of(self.items, self.texts(np.arange(len(self.items))))
        training = fit_epochs(
            "A-LLMRec: alignment",
            self,
            optimiser,
            lambda _, generator: descend(optimiser, losses(generator), "A-LLMRec, stage 1"),
            validate,
            Schedule(settings.epochs, settings.evaluate_every, settings.patience),
            self.seed,
            device(),
            checkpoint,
            determined_by=(self.domain.fingerprint, settings.model_dump(), embeddings, self.texts.identity),
        )
        with torch.no_grad():
            terms = self.terms(np.arange(len(self._purchases)), np.random.default_rng(self.seed))
        return {**training.record(), "losses": {name: float(value) for name, value in terms.items()}}
