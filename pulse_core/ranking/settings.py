"""Settings of the ranker."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class RankerSettings(Settings):
    """How the LoRA-tuned ranker reads a user and learns."""

    head: Literal["likelihood", "scalar"] = "likelihood"
    """`likelihood`: a candidate's logit is the mean log-probability of its title after the prefix; it starts from what
    the language model already knows and learns from few examples. `scalar`: a linear layer on the candidate's last
    hidden state, as in the paper; wants thousands of examples."""
    history_items: int = Field(default=6, ge=1)
    """How many of the last purchases the ranker reads."""
    title_chars: int = Field(default=48, ge=8)
    """Titles are cut at a word to this many characters, in the history and in the candidates alike."""
    max_tokens: int = Field(default=512, ge=64)
    """Longest prefix plus candidate. The oldest purchases are dropped first; a rationale or a candidate never is."""
    lora_r: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    lora_alpha: int = Field(default=16, ge=1)
    """Scale of the adapters (alpha / r)."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout in front of the adapters."""
    adapted_layers: int | None = Field(default=10, ge=1)
    """Adapt only this many top layers; what the frozen ones below make of each user is computed once for all epochs and
    lies on the disk meanwhile (of 500 tokens half a megabyte with SmolLM2, three with Phi-4-mini). null adapts every
    layer, as in the paper: slower by about the ratio of layers."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """AdamW's learning rate for the adapters. The paper's 2e-4 wants hundreds of steps; a hundred users in two
    epochs give 26."""
    head_learning_rate: float = Field(default=1e-2, gt=0)
    """AdamW's learning rate for the head (the scalar layer, where the paper has 1e-3, or the
    likelihood's scale, a single number)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's weight decay."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with a linearly growing learning rate; cosine decay follows."""
    epochs: int = Field(default=2, ge=1)
    """Passes over the training examples at most."""
    patience: int = Field(default=2, ge=1)
    """Epochs without a better validation HR@1 before training stops."""
    batch_users: int = Field(default=4, ge=1)
    """Users in one forward pass (ten candidates each)."""
    gradient_accumulation: int = Field(default=2, ge=1)
    """Forward passes before a step of the optimiser."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the language model while it ranks, weights included; `auto` as in `generation.dtype`."""
    load_in_4bit: bool = False
    """Keep the frozen weights in 4 bits (NF4, bitsandbytes): a quarter of bfloat16's memory, slower, and other figures.
    Only where the card is too small otherwise."""
    gradient_checkpointing: bool = False
    """Compute each adapted layer a second time on the way back instead of keeping what it made: the activations of
    one layer instead of all, for half as much time again. Changes no figure."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """`eager` is for models or devices that sdpa does not serve: slower, more memory, the same logits."""
    processes: int = Field(default=1, ge=1, le=64)
    """Training processes, one a GPU: the stage asks for that many `gpu` and divides the users of each optimiser step
    among them. There are two rankers to a domain: on two cards they train side by side, sooner done than one after the
    other on both. More pays where cards would idle. Results differ by rounding, and by which units dropout drops."""

    def adapted(self, layers: int) -> int:
        """How many of a model's layers are adapted."""
        return min(self.adapted_layers or layers, layers)
