"""Settings of rationales and of the texts that stand for histories."""

from pydantic import Field

from pulse_core.generation.requests import Sampling
from pulse_core.settings import Settings


class SamplingSettings(Settings):
    """How the language model draws its tokens."""

    max_new_tokens: int = Field(default=48, ge=4)
    """Longest rationale. Three short titles and a need are 35-45 tokens; what runs over is cut back to its last whole
    clause."""
    temperature: float = Field(default=0.5, ge=0)
    """0 is greedy: small models then repeat themselves. Much above 0.7 they garble the products they name."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Nucleus: the most likely tokens that hold this much probability."""
    top_k: int = Field(default=50, ge=1)
    """At most this many tokens to draw from."""
    no_repeat: int = Field(default=8, ge=0)
    """No run of this many tokens is written twice in a text: small models fall into loops. A brand that stands in two
    titles is 3-5 tokens long: lower values make the model misspell it. 0 switches it off."""

    def sampling(self) -> Sampling:
        """As engines take it."""
        return Sampling(self.max_new_tokens, self.temperature, self.top_p, self.top_k, self.no_repeat)


class RationaleSettings(Settings):
    """What prompts and behaviour texts show of a history."""

    history_items: int = Field(default=5, ge=1)
    """How many of the last purchases a prompt shows."""
    title_chars: int = Field(default=32, ge=8)
    """Titles are cut to this many characters, at a comma or a word. Prefill is half the cost: keep prompts short."""
    review_chars: int = Field(default=36, ge=0)
    """So much of each review of the history is quoted; 0 leaves reviews out."""
    target_review_chars: int = Field(default=120, ge=0)
    """So much of the target's review is quoted in the positive prompt (training targets only)."""
    neighbour_items: int = Field(default=4, ge=0)
    """How many items of similar users the base prompt and the tree show."""
    behaviour_items: int = Field(default=8, ge=1)
    """How many of the last purchases a behaviour text (E2's input) tells."""
    sampling: SamplingSettings = SamplingSettings()
    """How rationales are drawn."""
