"""Settings of the evaluation."""

from pydantic import Field

from pulse_core.settings import Settings


class EvaluationSettings(Settings):
    """How figures are given their intervals and tests."""

    bootstrap_samples: int = Field(default=10_000, ge=100)
    """Resamples of the users behind each interval and each paired bootstrap test. 10,000 keeps the third decimal of
    an interval still; it costs under a second for a few thousand users, so there is little reason to lower it."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Coverage of the intervals; a difference is called better or worse when its p-value is below 1 - confidence."""
