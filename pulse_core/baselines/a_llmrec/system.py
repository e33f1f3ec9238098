"""A-LLMRec (Kim et al. 2024) and A-LLMRec + Reason: all three stages as one system."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.a_llmrec.prompts import PromptWriter, SoftPrompt
from pulse_core.baselines.a_llmrec.soft_tokens import Projections
from pulse_core.baselines.a_llmrec.stages import Aligned, Shared
from pulse_core.baselines.domain import Examples, Recommender
from pulse_core.baselines.settings.a_llmrec import ALLMRecSettings
from pulse_core.baselines.tuning import candidate_figures
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.models import device
from pulse_core.progress import progress
from pulse_core.ranking.layout import candidate_means, length_batches, shuffled_batches
from pulse_core.seeding import derive_seed
from pulse_core.sequence.states import states
from pulse_core.training_loop import Figures, Schedule, descend, fit


class ALLMRec(Recommender):
    """Stage 2 (section 4.2): user states and item codes become soft tokens; only their projections are trained.

    Instead of generating an answer, it scores each candidate's title by its mean token log-probability.
    """

    settings: ALLMRecSettings

    def __init__(self, shared: Shared, settings: ALLMRecSettings) -> None:
        self.shared, self.settings = shared, settings
        self._seed = derive_seed(shared.seed, "projections")
        self._language_model = shared.language_model(settings.dtype)
        tokenizer = self._language_model.tokenizer
        self._writer = PromptWriter(shared.inputs.titles, tokenizer, settings.title_chars, settings.max_tokens)
        self._scores: dict[str, np.ndarray] = {}
        self._aligned: Aligned
        self.projections: Projections

    def prompts(self, examples: Examples) -> list[SoftPrompt]:
        """One prompt per example. Raises InputError if a rationale is missing or a prompt is too long."""
        rationales = self.shared.inputs.rationales
        if rationales is not None and (missing := [key for key in examples.keys if key not in rationales]):
            raise InputError(f"rationales: none selected for (user, split, position) {missing[0]}; rebuild selected/")
        shown = [history[-self.settings.history_items :].tolist() for history in examples.histories]
        return [
            self._writer.write(history, candidates, rationales[key] if rationales else None)
            for key, history, candidates in zip(examples.keys, shown, examples.candidates.tolist(), strict=True)
        ]

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings, domain = self.settings, self.shared.inputs.domain
        aligned = self._aligned = self.shared.aligned(settings, checkpoint)
        model = self._language_model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self._seed, "weights"))
            dimension, code = aligned.model.items.embedding_dim, settings.alignment.code_dimension
            self.projections = Projections(dimension, code, model.hidden, model.scale).to(device())
        optimiser = torch.optim.Adam(self.projections.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
        train, validation = domain.train, domain.validation
        prompts = [prompt.answer(int(place)) for prompt, place in zip(self.prompts(train), train.places(), strict=True)]
        packed = [prompt.packed for prompt in prompts]
        users = self._states(train)
        validation_prompts, validation_users = self.prompts(validation), self._states(validation)

        def batches(epoch: int) -> list[list[int]]:
            generator = np.random.default_rng(derive_seed(self._seed, "epoch", epoch))
            return shuffled_batches(packed, settings.batch_users, generator)

        def loss(rows: list[int]) -> Iterator[Tensor]:
            chosen = [prompts[row] for row in rows]
            yield -model.log_probabilities(chosen, users[rows], aligned.codes, self.projections)[0].mean()

        def validate() -> Figures:
            return candidate_figures(validation, self._score(validation_prompts, validation_users))

        text = hashlib.sha256(repr([prompts, validation_prompts]).encode()).hexdigest()
        training = fit(
            "A-LLMRec: projections",
            self.projections,
            optimiser,
            batches,
            lambda _step, rows: descend(optimiser, loss(rows), "A-LLMRec"),
            validate,
            Schedule(settings.epochs, 1, settings.patience),
            total=settings.epochs * len(train),
            unit="users",
            size=len,
            checkpoint=checkpoint,
            determined_by=(aligned.digest, self._seed, settings.model_dump(), domain.fingerprint, text, model.dtype),
        )
        return {**aligned.record, "projections": training.record()}

    def _states(self, examples: Examples) -> Tensor:
        return torch.from_numpy(states(self._aligned.model, examples.histories))

    def _score(self, prompts: Sequence[SoftPrompt], users: Tensor) -> np.ndarray:
        """(n, C) float32 scores of the prompts of users with these states, (n, d)."""
        scores = np.zeros((len(prompts), len(prompts[0].packed.candidates)), dtype=np.float32)
        self.projections.eval()
        packed = [prompt.packed for prompt in prompts]
        with progress("A-LLMRec: scoring", len(prompts), "users") as meter, torch.inference_mode():
            for rows in length_batches(packed, self.settings.batch_users):
                chosen = [prompts[row] for row in rows]
                log_probabilities, batch = self._language_model.log_probabilities(
                    chosen, users[rows], self._aligned.codes, self.projections
                )
                scores[rows] = candidate_means(log_probabilities, batch).cpu().numpy()
                meter.advance(len(rows))
        return scores

    def scores(self, examples: Examples) -> np.ndarray:
        if examples.split not in self._scores:
            self._scores[examples.split] = self._score(self.prompts(examples), self._states(examples))
        return self._scores[examples.split]

    def tensors(self) -> dict[str, Tensor]:
        projections = {f"projections/{name}": value for name, value in self.projections.state_dict().items()}
        return {**self._aligned.tensors, **projections}
