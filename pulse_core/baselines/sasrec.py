"""What systems share that score items by state times item vector, and SASRec (Kang & McAuley 2018) as the first."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pulse_core.baselines.domain import Domain, Examples, Recommender
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.sequence.states import full_ranks, ranking_metrics, score_candidates
from pulse_core.sequence.training import new_optimiser, run_epoch
from pulse_core.training_loop import CPU, Schedule, fit_epochs


class IDModel(Recommender):
    """A system with a SASRec backbone and one trial's settings; runs on the CPU.

    Early stopping uses full-ranking NDCG@10 on the validation examples, like the pipeline's SASRec.
    """

    label: str
    settings: Any
    device = CPU
    first_validation = 1  # epoch

    def __init__(self, domain: Domain, settings: Any, seed: int) -> None:
        if not any(len(sequence) > 1 for sequence in domain.sequences):
            raise InputError(f"{self.label} has nothing to learn from: relax corpus.k_core or give a larger dump")
        self.domain, self.settings, self.seed = domain, settings, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            self.model = self.new_backbone()
        self.network: nn.Module = self.model  # what is trained

    @abstractmethod
    def new_backbone(self) -> SASRec:
        """An untrained backbone; draws from torch's global generator."""

    def ranking_model(self) -> SASRec:
        """The backbone with the vectors of all items."""
        return self.model

    def train(
        self,
        epoch: Callable[[int, np.random.Generator], Sequence[float]],
        optimiser: torch.optim.Optimizer,
        checkpoint: Checkpoint,
        *determined_by: object,
    ) -> dict[str, Any]:
        """Train with `epoch(number, generator)` and early stopping; returns the record for metrics.json."""
        settings = self.settings
        return fit_epochs(
            self.label,
            self.network,
            optimiser,
            epoch,
            lambda: ranking_metrics(self.full_ranks(self.domain.validation)),
            Schedule(settings.epochs, settings.evaluate_every, settings.patience, self.first_validation),
            self.seed,
            self.device,
            checkpoint,
            determined_by=(self.domain.fingerprint, *determined_by, settings.model_dump(exclude={"search"})),
        ).record()

    def scores(self, examples: Examples) -> np.ndarray:
        return score_candidates(self.ranking_model(), examples.histories, examples.candidates)

    def full_ranks(self, examples: Examples) -> np.ndarray:
        return full_ranks(self.ranking_model(), examples.histories, examples.targets)

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()


class SASRecBaseline(IDModel):
    """The pipeline's SASRec, with full softmax or the original loss with one negative."""

    label = "SASRec"
    settings: SASRecTrainingSettings

    def new_backbone(self) -> SASRec:
        return SASRec(self.domain.item_count, self.settings)

    def fit(self, checkpoint: Checkpoint, *determined_by: object) -> dict[str, Any]:
        model, sequences, settings = self.model, self.domain.sequences, self.settings
        optimiser = new_optimiser(model, settings)

        def epoch(_: int, generator: np.random.Generator) -> list[float]:
            return run_epoch(model, sequences, optimiser, settings, generator, "learning_rate")

        return self.train(epoch, optimiser, checkpoint, *determined_by)
