"""Settings of the ranker."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class RankerSettings(Settings):
    """What the LoRA-tuned ranker reads and how it is trained."""

    head: Literal["likelihood", "scalar"] = "likelihood"
    """`likelihood`: a candidate's logit is the mean log-probability of its title after the prefix; it starts from
    what the language model knows and learns from few examples. `scalar`: a linear layer on the candidate's last
    hidden state, as in the paper; needs thousands of examples."""
    history_items: int = Field(default=6, ge=1)
    """Number of latest purchases in the prompt."""
    title_chars: int = Field(default=48, ge=8)
    """Maximum title length in characters, cut at a word. Candidates that would read the same keep more."""
    max_tokens: int = Field(default=512, ge=64)
    """Maximum tokens of prefix plus candidate. The oldest purchases are dropped first; rationale and candidate are
    never cut."""
    lora_r: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    lora_alpha: int = Field(default=16, ge=1)
    """Scale of the adapters, as alpha / r."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout before the adapters."""
    adapted_layers: int | None = Field(default=10, ge=1)
    """Number of top layers with adapters; null: all, as in the paper, slower by about the ratio of layers. The
    frozen layers below are computed once per user and cached on disk during training (per 500 tokens, half a
    megabyte with SmolLM2 and three with Phi-4-mini)."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of AdamW for the adapters. The paper's 2e-4 needs hundreds of steps; a hundred users in two
    epochs give 26."""
    head_learning_rate: float = Field(default=1e-2, gt=0)
    """Learning rate of AdamW for the head: the scalar layer (the paper: 1e-3) or the likelihood's scale, a single
    number."""
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
    """Keep the frozen weights in 4 bits (NF4, bitsandbytes): a quarter of bfloat16's memory, but slower, and figures
    change. Use it only if the card is too small."""
    gradient_checkpointing: bool = False
    """Recompute each adapted layer's activations in the backward pass: memory for one layer instead of all, half as
    much time again, same figures."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """`eager` is for models or devices without sdpa: slower, more memory, same logits."""
    processes: int = Field(default=1, ge=1, le=64)
    """Training processes, one per GPU: the stage requests that many GPUs and splits the users of each optimiser step
    among them. A domain has two rankers, and on two cards they finish sooner side by side than one after the other
    on both; use more processes only if cards would be idle. Results differ by rounding and dropout masks."""

    def adapted(self, layers: int) -> int:
        """How many of a model's layers are adapted."""
        return min(self.adapted_layers or layers, layers)
