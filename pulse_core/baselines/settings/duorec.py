"""Settings of DuoRec."""

from pydantic import Field

from pulse_core.baselines.settings.post_norm import PostNormSettings
from pulse_core.baselines.settings.tuned import Trials


class DuoRecSettings(PostNormSettings):
    """DuoRec (Qiu et al. 2022): a second dropout pass against another history with the same target."""

    weight: float = Field(default=0.1, ge=0.0)
    """Of the contrastive loss beside the cross-entropy."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Of the contrastive loss, whose likeness is the inner product."""
    leave_out_same_target: bool = False
    """Leave histories with the same target out of the negatives. The paper does not: popular targets are then pushed
    apart and pulled together at once."""
    search: Trials = Field(default=[{}, {"learning_rate": 3e-3}, {"leave_out_same_target": True}, {"dropout": 0.3}])
    """One entry a trial, the paper's values first. At its learning rate 50 epochs of a small corpus end too early."""
