"""Settings of the Thought Space stage."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class ThoughtSpaceSettings(Settings):
    """Training of E1 and E2. Defaults are the paper's where it gives a value (section 5.3)."""

    domains: list[str] = Field(default_factory=list)
    """Domains whose positive rationales train one shared space; empty: each domain trains its own."""
    inter_domain_negatives: bool = True
    """Whether negatives may come from other domains, as in the paper. false contrasts within a domain only, which is
    harder, since other domains are easy to tell apart."""
    pooling: Literal["mean", "cls"] = "mean"
    """How token states become one vector: `mean` for MiniLM and other sentence encoders, `cls` for DistilBERT."""
    max_tokens: int = Field(default=96, ge=8, le=8192)
    """Maximum tokens per text; longer ones lose their end. Raise it for long histories; cost grows with it."""
    batch_size: int = Field(default=32, ge=2)
    """Users per step. Negatives come from the batch, so it must exceed `negatives`."""
    negatives: int = Field(default=10, ge=1)
    """M in Eq. (1): negatives per user, drawn from other users' positive rationales. A batch with fewer uses all."""
    temperature: float = Field(default=0.05, gt=0, le=1)
    """Temperature tau in Eq. (1). Lower values contrast harder, and false negatives do more harm."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """Peak learning rate of AdamW, the paper's. If the loss in training.json falls but validation MRR does not rise,
    a higher rate only overfits the training users."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay of AdamW, for weight matrices only (not biases and layer norms)."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with linear warm-up; cosine decay follows."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Maximum gradient norm per step."""
    epochs: int = Field(default=5, ge=1)
    """Maximum number of epochs."""
    max_steps: int | None = Field(default=None, ge=1)
    """Maximum steps over all epochs (a step of 32 users takes 2-4 s on two CPU cores); null: no limit."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many epochs without a better validation MRR; null: never. The best epoch is kept either way."""
    target_dropout: float = Field(default=0.5, ge=0, le=1)
    """Share of training examples whose behaviour text leaves out the target, redrawn every epoch. With 0, E2
    never trains on the history-only text that selection reads; with 1, it never sees the target."""
    validation_share: float = Field(default=0.15, ge=0, lt=1)
    """Share of users held out to measure retrieval, alignment and uniformity; 0 measures nothing."""
    retrieval_pool: int = Field(default=32, ge=2)
    """Rationales per validation retrieval, including the right one; chance is 1 / retrieval_pool."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Compute precision (weights stay float32); `auto` as in `generation.dtype`."""
    encode_batch_size: int = Field(default=64, ge=1)
    """Texts per batch outside training; matters on a GPU, little on a CPU."""
    processes: int = Field(default=1, ge=1, le=64)
    """Training processes, one per GPU; each takes part of a batch. Prefer 1 if other stages can use the other cards:
    the paper's encoders fit on one. Results differ by rounding and dropout masks."""

    def steps(self, examples: int) -> int:
        """Steps over all epochs for this number of training examples."""
        steps = self.epochs * max(examples // self.batch_size, 1)
        return min(steps, self.max_steps or steps)
