"""Settings of the tree of refinements."""

from pydantic import Field, field_validator

from pulse_core.rationales.settings import SamplingSettings
from pulse_core.settings import Settings


class TreeSettings(Settings):
    """The shape of the tree and the sampling of its nodes."""

    branching: list[int] = Field(default_factory=lambda: [3, 3])
    """Children per node, level by level, to any depth: [3, 3] is three refinements of the base rationale, and three of
    each of those (nine leaves). The cost is the number of nodes."""
    sampling: SamplingSettings = SamplingSettings(temperature=0.7)
    """Sampling of refinements: warmer than base rationales so that siblings differ."""
    prompt_history_items: int = Field(default=4, ge=1)
    """Number of latest purchases in a refinement prompt (without reviews, which the parent has read)."""

    @field_validator("branching")
    @classmethod
    def _positive(cls, value: list[int]) -> list[int]:
        if not value or min(value) < 1:
            raise ValueError(f"got {value}, expected one positive number per level, such as [3, 3]")
        return value
