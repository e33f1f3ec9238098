"""Settings of DuoRec."""

from pydantic import Field

from pulse_core.baselines.settings.post_norm import PostNormSettings
from pulse_core.baselines.settings.tuned import Trials


class DuoRecSettings(PostNormSettings):
    """DuoRec (Qiu et al. 2022): contrast of a second dropout pass with another history of the same target."""

    weight: float = Field(default=0.1, ge=0.0)
    """Weight of the contrastive loss; that of the cross-entropy is 1."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of the contrastive loss; the similarity is the inner product."""
    leave_out_same_target: bool = False
    """Exclude histories with the same target from the negatives; the paper pushes them apart and together at once."""
    search: Trials = Field([{}, {"learning_rate": 3e-3}, {"leave_out_same_target": True}, {"dropout": 0.3}])
    """One entry per trial, the paper's values first; with its learning rate, 50 epochs are too few for few users."""
