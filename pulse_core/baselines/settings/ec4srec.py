"""Settings of EC4SRec."""

from typing import Literal

from pydantic import Field, field_validator

from pulse_core.baselines.settings.post_norm import PostNormSettings
from pulse_core.baselines.settings.tuned import Trials


class EC4SRecSettings(PostNormSettings):
    """EC4SRec (Wang et al. 2022): contrastive learning guided by the model's explanations."""

    importance: Literal["occlusion", "saliency"] = "occlusion"
    """Importance of an item: the drop in the first-ranked item's score without it, or that score's gradient."""
    explain_after: list[float] = Field(default_factory=lambda: [0.3, 0.6], min_length=1)
    """Importance is recomputed after these shares of `epochs`. Before: no contrastive loss, no early stopping."""
    positive_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the contrast between two views that keep the important items."""
    negative_weight: float = Field(default=0.05, ge=0.0)
    """Weight of the contrast with views that lose the important items."""
    supervised_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the contrast with retrieved histories of the same target."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of the first and last of these losses; the similarity is the inner product."""
    negative_temperature: float = Field(default=0.1, gt=0.0)
    """Temperature of the loss with negative views; the similarity is the cosine."""
    positive_ratio: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of items that a positive view by crop keeps, the most important; mask and reorder change the others."""
    negative_ratio: float = Field(default=0.7, gt=0.0, lt=1.0)
    """Share of items that a negative view by crop keeps, the least important; mask and reorder change the others."""
    search: Trials = Field([{}, {"learning_rate": 3e-3}, {"importance": "saliency"}, {"dropout": 0.3}])
    """One entry per trial, the paper's values first; with its learning rate, 50 epochs are too few for few users."""

    @field_validator("explain_after")
    @classmethod
    def _rising_shares(cls, shares: list[float]) -> list[float]:
        if shares != sorted(set(shares)) or not all(0.0 <= share < 1.0 for share in shares):
            raise ValueError(f"explain_after: got {shares}, expected rising shares of at least 0 and below 1")
        return shares

    @property
    def explaining_epochs(self) -> list[int]:
        """Epochs, from 1, that begin with an explanation."""
        return sorted({1 + int(share * self.epochs + 1e-9) for share in self.explain_after})
