"""SASRec (Kang & McAuley 2018) as a tuned baseline, with full softmax or the original loss with one negative."""

from typing import Any

import numpy as np

from pulse_core.baselines.domain import Domain
from pulse_core.baselines.id_model import IDModel
from pulse_core.checkpoints import Checkpoint
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.sequence.training import new_model, new_optimiser, run_epoch
from pulse_core.training_loop import Schedule


class SASRecBaseline(IDModel):
    """The pipeline's SASRec with one trial's settings."""

    label = "SASRec"
    settings: SASRecTrainingSettings

    def __init__(self, domain: Domain, settings: SASRecTrainingSettings, seed: int) -> None:
        self.settings = settings
        super().__init__(domain, seed)

    def new_backbone(self) -> SASRec:
        return new_model(self.domain.item_count, self.settings)

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self.settings
        optimiser = new_optimiser(self.model, settings)

        def epoch(_number: int, generator: np.random.Generator) -> float:
            return run_epoch(self.model, self.domain.sequences, optimiser, settings, generator, "learning_rate")

        schedule = Schedule(settings.epochs, settings.evaluate_every, settings.patience)
        return self.train(epoch, optimiser, schedule, checkpoint, settings.model_dump())
