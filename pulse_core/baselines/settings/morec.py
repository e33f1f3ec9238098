"""Settings of MoRec."""

from typing import Literal

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import BackboneSettings


class MoRecSettings(BackboneSettings, TunedSettings):
    """MoRec (Yuan et al. 2023): an item is its title, read by an encoder trained with the user tower."""

    title_tokens: int = Field(default=30, ge=4, le=512)
    """Maximum tokens of a title; 30 in the paper."""
    encoder_layers: int | None = Field(default=1, ge=0)
    """Top layers of the encoder to train. null: all, as in the paper; 0: none (the paper's two-stage form)."""
    dimension: int = Field(default=128, ge=2, le=4096)
    """Width of item vectors and states; 512 in the authors' scripts."""
    heads: int = Field(default=2, ge=1, le=16)
    """Attention heads; must divide `dimension`."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Dropout of the user tower; the encoder has its own."""
    max_length: int = Field(default=20, ge=1, le=1000)
    """Maximum history length; older items are dropped."""
    loss: Literal["ce", "batch_ce", "bce"] = "ce"
    """`ce`: softmax over the whole catalogue. `batch_ce`: over the batch's items with popularity correction, which the
    authors found much better than the paper's `bce` (one uniform negative per position)."""
    whole_catalogue: int = Field(default=4000, ge=1)
    """For more items than this, `ce` becomes `batch_ce`: time and memory per step grow with the encoded items."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Learning rate of the user tower and the layer after the encoder; the authors' 1e-4 needs many more steps."""
    encoder_learning_rate: float = Field(default=5e-5, gt=0.0)
    """Learning rate of the encoder's trained layers."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Weight decay of AdamW, for all parameters."""
    batch_size: int = Field(default=128, ge=1)
    """Users per step."""
    encoder_every: int = Field(default=4, ge=1)
    """Batches per encoder step, whose titles are encoded once; 1 in the paper, at proportionally more cost."""
    epochs: int = Field(default=30, ge=1)
    """Maximum number of epochs."""
    evaluate_every: int = Field(default=2, ge=1)
    """Epochs between validations (full-ranking NDCG@10)."""
    patience: int = Field(default=4, ge=1)
    """Stop after this many validations without improvement; the best model is kept."""
    search: Trials = Field([{}, {"learning_rate": 3e-4}, {"encoder_layers": 0}, {"dropout": 0.3}])
    """One entry per trial."""
