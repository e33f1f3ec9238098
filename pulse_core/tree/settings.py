"""Settings of the tree of refinements."""

from pydantic import Field, field_validator

from pulse_core.rationales.settings import SamplingSettings
from pulse_core.settings import Settings


class TreeSettings(Settings):
    """The shape of the tree and how its nodes are drawn."""

    branching: list[int] = Field(default_factory=lambda: [3, 3])
    """Children a node, level by level: [3, 3] is three refinements of the base rationale with three of each (nine
    leaves). Any depth works; the cost is the number of nodes."""
    sampling: SamplingSettings = SamplingSettings(temperature=0.7)
    """How refinements are drawn: warmer than base rationales, so that siblings differ; much warmer, and a small model
    garbles the products it names."""
    prompt_history_items: int = Field(default=4, ge=1)
    """How many of the last purchases a refinement prompt shows (without reviews: the parent already read them)."""

    @field_validator("branching")
    @classmethod
    def _positive(cls, value: list[int]) -> list[int]:
        if not value or min(value) < 1:
            raise ValueError(f"got {value}, wants one positive number a level, such as [3, 3]")
        return value
