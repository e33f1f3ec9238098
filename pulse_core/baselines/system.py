"""The interface of every tuned system: fit, score candidates, save weights."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from torch import Tensor

from pulse_core.baselines.domain import Examples
from pulse_core.checkpoints import Checkpoint
from pulse_core.settings import Settings


class Recommender(ABC):
    """One system with one trial's settings."""

    settings: Settings

    @abstractmethod
    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Train on its domain and return the record for metrics.json (without times, which differ between runs).

        With a checkpoint in the same directory, a killed fit resumes and a finished one returns immediately.
        """

    @abstractmethod
    def scores(self, examples: Examples) -> np.ndarray:
        """Scores of each example's candidates, higher is better: (n, C) float32."""

    def full_ranks(self, examples: Examples) -> np.ndarray | None:
        """1-based ranks of the targets in the whole catalogue, (n,); None if the system only ranks candidates."""
        return None

    def further_figures(self, examples: Examples) -> dict[str, float]:
        """More figures for metrics.json, for validation and test of the chosen trial."""
        return {}

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The weights to save, without those of frozen pre-trained models."""
