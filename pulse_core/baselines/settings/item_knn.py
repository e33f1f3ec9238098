"""Settings of item-kNN."""

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings


class ItemKNNSettings(TunedSettings):
    """Item-based nearest neighbours (Sarwar et al. 2001): items are similar if the same users bought them."""

    neighbours: int = Field(default=100, ge=1)
    """Number of most similar items per item; all others are ignored."""
    shrink: float = Field(default=10.0, ge=0.0)
    """Added to the denominator of the cosine; it discounts items with few buyers."""
    decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """Weight of each item of the history relative to the next one; less than 1 favours recent ones."""
    search: Trials = Field([{}, {"decay": 0.7}, {"decay": 0.7, "shrink": 0.0}, {"neighbours": 20}])
    """One entry per trial."""
