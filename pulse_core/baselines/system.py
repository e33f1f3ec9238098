"""What every tuned system is to the trials: something that is fitted, scores candidates, and can be kept."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from torch import Tensor

from pulse_core.baselines.domain import Examples
from pulse_core.checkpoints import Checkpoint
from pulse_core.settings import Settings


class Recommender(ABC):
    """One system under one setting."""

    settings: Settings

    @abstractmethod
    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Train on the domain it was made with; what metrics.json says of it (no times: they differ from run to run).

        Called again with a checkpoint in the same directory it goes on where it was killed, or is done at once.
        """

    @abstractmethod
    def scores(self, examples: Examples) -> np.ndarray:
        """Scores of each example's candidates, higher is better: (n, C) float32."""

    def full_ranks(self, examples: Examples) -> np.ndarray | None:
        """1-based ranks of the targets in the whole catalogue, (n,); None where a system only ranks candidates."""
        return None

    def further_figures(self, examples: Examples) -> dict[str, float]:
        """What metrics.json tells beside the ranking, for validation and test of the chosen trial."""
        return {}

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The weights to keep; never those of a frozen pre-trained model."""
