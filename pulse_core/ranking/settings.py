"""Settings of the ranker."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class RankerSettings(Settings):
    """What the LoRA-tuned ranker reads and how it is trained."""

    head: Literal["likelihood", "scalar"] = "likelihood"
    """`likelihood`: a candidate's logit is the mean log-probability of its title; starts from what the model knows and
    learns from few examples. `scalar`: a linear layer on its last hidden state, as in the paper; needs thousands."""
    history_items: int = Field(default=6, ge=1)
    """Number of latest purchases in the prompt."""
    title_chars: int = Field(default=48, ge=8)
    """Maximum title length in characters, cut at a word. Candidates that would read the same keep more."""
    max_tokens: int = Field(default=512, ge=64)
    """Maximum tokens of prefix plus candidate. The oldest purchases are dropped, rationale and candidate never cut."""
    lora_r: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    lora_alpha: int = Field(default=16, ge=1)
    """Scale of the adapters, as alpha / r."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout before the adapters."""
    adapted_layers: int | None = Field(default=10, ge=1)
    """Number of top layers with adapters; null: all, as in the paper, slower by about the ratio of layers. The frozen
    layers below are computed once per user and cached on disk (500 tokens: 0.5 MB with SmolLM2, 3 with Phi-4-mini)."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of AdamW for the adapters. The paper's 2e-4 needs hundreds of steps; 100 users make 13 an epoch."""
    head_learning_rate: float = Field(default=1e-2, gt=0)
    """Learning rate of AdamW for the head: the scalar layer (the paper: 1e-3) or the likelihood's scale, one number."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of AdamW."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with linear warm-up; cosine decay follows."""
    epochs: int = Field(default=2, ge=1)
    """Maximum number of epochs."""
    patience: int = Field(default=2, ge=1)
    """Stop after this many epochs without a better validation HR@1."""
    batch_users: int = Field(default=4, ge=1)
    """Users per forward pass, each with all candidates."""
    gradient_accumulation: int = Field(default=2, ge=1)
    """Forward passes per optimiser step."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the language model in the ranker, weights included; `auto` as in `generation.dtype`."""
    load_in_4bit: bool = False
    """Frozen weights in 4 bits (NF4): a quarter of bfloat16's memory, slower, other figures; for small cards."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: memory for one layer, not all, 1.5 times as slow, same figures."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """`eager` is for models or devices without sdpa: slower, more memory, same logits."""
    processes: int = Field(default=1, ge=1, le=64)
    """Training processes, one per GPU; each takes part of a step's users. A domain's two rankers finish sooner side by
    side on two cards, so use more only if cards would be idle. Results differ by rounding and dropout masks."""

    def adapted(self, layers: int) -> int:
        """How many of a model's layers are adapted."""
        return min(self.adapted_layers or layers, layers)
