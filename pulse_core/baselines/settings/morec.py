"""Settings of MoRec."""

from typing import Literal

from pydantic import Field, model_validator

from pulse_core.baselines.settings.tuned import Trials, TunedSettings


class MoRecSettings(TunedSettings):
    """MoRec (Yuan et al. 2023): items are their titles, read by an encoder that is trained with the user tower."""

    title_tokens: int = Field(default=30, ge=4, le=512)
    """Longest title read, in tokens; the paper's 30."""
    encoder_layers: int | None = Field(default=1, ge=0)
    """So many top layers of the encoder are trained, and what the layers below make of each title is kept; null: all,
    as in the paper, at the cost of the whole encoder at every step; 0: none (the paper's two-stage form)."""
    dimension: int = Field(default=128, ge=2, le=4096)
    """Width of item vectors and states; the authors' scripts have 512."""
    blocks: int = Field(default=2, ge=1, le=12)
    """Self-attention blocks of the user tower."""
    heads: int = Field(default=2, ge=1, le=16)
    """Attention heads; must divide `dimension`."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Of the user tower; the encoder has its own."""
    max_length: int = Field(default=20, ge=1, le=1000)
    """The last so many items of a history are read."""
    loss: Literal["ce", "batch_ce", "bce"] = "ce"
    """`ce`: softmax over the whole catalogue, all of which is encoded for every step of the encoder. `batch_ce`: over
    the items of the batch, debiased by popularity, which the authors found much better than the paper's `bce`: one
    uniform negative a position."""
    whole_catalogue: int = Field(default=4000, ge=1)
    """With more items than this `ce` is `batch_ce`: time and memory of a step grow with what is encoded."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Of the user tower and the layer behind the encoder. The authors' 1e-4 needs many more steps than a small domain
    has."""
    encoder_learning_rate: float = Field(default=5e-5, gt=0.0)
    """Of the encoder's trained layers."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Of AdamW, everywhere."""
    batch_size: int = Field(default=128, ge=1)
    """Users in one step."""
    encoder_every: int = Field(default=4, ge=1)
    """The encoder takes one step on the mean gradient of so many batches and their titles are encoded once for all:
    the paper's 1 costs so many times more."""
    epochs: int = Field(default=30, ge=1)
    """At most so many passes over the training sequences."""
    evaluate_every: int = Field(default=2, ge=1)
    """Epochs between two looks at the validation targets (full-ranking NDCG@10)."""
    patience: int = Field(default=4, ge=1)
    """Stop after so many looks without improvement and keep the best model."""
    search: Trials = Field(default=[{}, {"learning_rate": 3e-4}, {"encoder_layers": 0}, {"dropout": 0.3}])
    """One entry a trial."""

    @model_validator(mode="after")
    def _consistent(self) -> "MoRecSettings":
        if self.dimension % self.heads:
            raise ValueError(f"heads = {self.heads} must divide dimension = {self.dimension}")
        return self
