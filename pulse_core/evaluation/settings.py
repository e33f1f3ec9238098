"""Settings of the evaluation."""

from pydantic import Field

from pulse_core.settings import Settings


class EvaluationSettings(Settings):
    """Confidence intervals and tests."""

    bootstrap_samples: int = Field(default=10_000, ge=100)
    """Bootstrap resamples of the users per interval and paired test. 10,000 keep an interval's third decimal stable
    and take under a second for a few thousand users."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Coverage of the intervals; a difference counts as better or worse if its p-value is below 1 - confidence."""
