"""Base of the ID-based systems: backbone, training and scores."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.domain import Domain, Examples
from pulse_core.baselines.system import Recommender
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed
from pulse_core.sequence.full_ranking import ranking_metrics
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.states import full_ranks, score_candidates
from pulse_core.training_loop import Figures, Schedule, fit_epochs

Epoch = Callable[[int, np.random.Generator], float]


class IDModel(Recommender):
    """A system that scores items by backbone state times item embedding; runs on the CPU.

    Early stopping uses full-ranking NDCG@10 on the validation examples, like the pipeline's SASRec.
    """

    label: str

    def __init__(self, domain: Domain, seed: int) -> None:
        if not any(len(sequence) > 1 for sequence in domain.sequences):
            raise InputError(f"{self.label} has nothing to learn from: relax corpus.k_core or give a larger dump")
        self.domain, self.seed = domain, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            self.model = self.new_backbone()

    @abstractmethod
    def new_backbone(self) -> SASRec:
        """An untrained backbone; draws from torch's global generator."""

    def train(
        self,
        epoch: Epoch,
        optimiser: torch.optim.Optimizer,
        schedule: Schedule,
        checkpoint: Checkpoint,
        *determined_by: object,
    ) -> dict[str, Any]:
        """Train with `epoch(number, generator)` and early stopping; returns the record for metrics.json."""
        examples = self.domain.validation

        def validate() -> Figures:
            return ranking_metrics(full_ranks(self.model, examples.histories, examples.targets))

        return fit_epochs(
            self.label,
            self.model,
            optimiser,
            epoch,
            validate,
            schedule,
            self.seed,
            checkpoint=checkpoint,
            determined_by=(self.domain.fingerprint, *determined_by),
        ).record()

    def scores(self, examples: Examples) -> np.ndarray:
        return score_candidates(self.model, examples.histories, examples.candidates)

    def full_ranks(self, examples: Examples) -> np.ndarray:
        return full_ranks(self.model, examples.histories, examples.targets)

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()
