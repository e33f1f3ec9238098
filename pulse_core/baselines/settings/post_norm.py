"""The backbone shared by DuoRec and EC4SRec, and its training."""

from pydantic import Field

from pulse_core.baselines.settings.tuned import TunedSettings
from pulse_core.sequence.settings import BackboneSettings


class PostNormSettings(BackboneSettings, TunedSettings):
    """The backbone of DuoRec and EC4SRec, SASRec in post-norm form, and its training."""

    dimension: int = Field(default=64, ge=2, le=1024)
    """Width of item embeddings and states."""
    heads: int = Field(default=2, ge=1, le=16)
    """Attention heads; must divide `dimension`."""
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward layers; it also creates the two views of a history."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Learning rate of Adam."""
    batch_size: int = Field(default=256, ge=2)
    """Prefixes per step; the rest of the batch are the negatives of the contrastive loss."""
    epochs: int = Field(default=50, ge=1)
    """Maximum number of epochs."""
    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between validations (full-ranking NDCG@10)."""
    patience: int = Field(default=10, ge=1)
    """Stop after this many validations without improvement; the best model is kept."""
