"""Settings of item-kNN."""

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings


class ItemKNNSettings(TunedSettings):
    """Item-based nearest neighbours (Sarwar et al. 2001): items are alike that the same users bought."""

    neighbours: int = Field(default=100, ge=1)
    """Each item is compared with so many most similar ones; what is further away counts nothing."""
    shrink: float = Field(default=10.0, ge=0.0)
    """Added to the denominator of the cosine: takes trust from items that few users bought."""
    decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """Weight of each item of the history against the one after it: 1 counts all alike, lower trusts the latest."""
    search: Trials = Field(default=[{}, {"decay": 0.7}, {"decay": 0.7, "shrink": 0.0}, {"neighbours": 20}])
    """One entry a trial."""
