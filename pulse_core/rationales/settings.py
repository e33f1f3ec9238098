"""Settings of rationales and behaviour texts."""

from pydantic import Field

from pulse_core.settings import Settings


class SamplingSettings(Settings):
    """How tokens are sampled."""

    max_new_tokens: int = Field(default=48, ge=4)
    """Maximum tokens of a rationale. Three short titles and a need take 35-45; longer texts end at a whole clause."""
    temperature: float = Field(default=0.5, ge=0)
    """0 is greedy, which makes small models repeat themselves. Well above 0.7 they garble product names."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Nucleus sampling: sample from the most likely tokens with this total probability."""
    top_k: int = Field(default=50, ge=1)
    """Sample from at most this many tokens."""
    no_repeat: int = Field(default=8, ge=0)
    """Never repeat a run of this many tokens within a text, because small models fall into loops. Lower values make the
    model misspell a brand of 3-5 tokens that occurs twice. 0 turns it off."""


class RationaleSettings(Settings):
    """How prompts and behaviour texts present a history."""

    history_items: int = Field(default=5, ge=1)
    """Number of latest purchases in a prompt."""
    title_chars: int = Field(default=32, ge=8)
    """Maximum title length in characters, cut at a comma or word. Prefill is half the cost, so keep prompts short."""
    review_chars: int = Field(default=36, ge=0)
    """Characters quoted from each review in the history; 0 leaves reviews out."""
    target_review_chars: int = Field(default=120, ge=0)
    """Characters quoted from the target's review in the positive prompt (training targets only)."""
    neighbour_items: int = Field(default=4, ge=0)
    """Number of similar users' items in the base prompt and the tree's prompts."""
    behaviour_items: int = Field(default=8, ge=1)
    """Number of latest purchases in a behaviour text (E2's input)."""
    sampling: SamplingSettings = SamplingSettings()
    """Sampling of positive and base rationales."""
