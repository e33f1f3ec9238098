"""Settings of the selection stage."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings

ScorerName = Literal["thought_space", "distilbert", "sbert", "likelihood"]


class SelectionSettings(Settings):
    """What the scorers compare with each leaf."""

    behaviour: Literal["history", "oracle"] = "history"
    """The behaviour text b_u that leaves are compared with. `history` is what is known when a purchase is predicted.
    `oracle` is the paper's Eq. (2) to the letter, with the target in the text: it gives the selector the answer and
    only measures the effect (the leak audit). Never report it as a result."""
    pooling: Literal["mean", "cls"] = "mean"
    """Pooling of the frozen encoders (`distilbert`, `sbert`); the Thought Space's pooling is saved with it."""
    max_tokens: int = Field(default=96, ge=8, le=8192)
    """Maximum tokens per text for the frozen encoders; keep it at the Thought Space's value for a fair comparison."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Compute precision, `auto` as in `generation.dtype`. bfloat16 changes scores in the third decimal."""
    batch_size: int = Field(default=64, ge=1)
    """Texts encoded per batch."""
