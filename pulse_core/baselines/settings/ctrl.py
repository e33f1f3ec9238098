"""Settings of CTRL."""

from typing import Literal

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import SASRecTrainingSettings


class CTRLSettings(TunedSettings, SASRecTrainingSettings):
    """CTRL (Li et al. 2023): SASRec, first aligned with texts of the same samples, then fine-tuned without them."""

    history_items: int = Field(default=3, ge=1, le=1000)
    """Number of latest titles in the prompt; the paper shows all."""
    max_tokens: int = Field(default=72, ge=16, le=8192)
    """Maximum tokens of a prompt; the oldest titles are dropped until it fits."""
    encoder_layers: int | None = Field(default=1, ge=0)
    """Top layers of the encoder to train. null: all, as in the paper; 1: as with its largest encoder; 0: none."""
    alignment_loss: Literal["softmax", "bce"] = "softmax"
    """`softmax`: the paper's InfoNCE. `bce`: as in A-LLMRec's code, but both classes weigh equally."""
    temperature: float = Field(default=0.7, gt=0.0)
    """Temperature of the softmax, the paper's."""
    projection: int = Field(default=128, ge=2, le=4096)
    """Width of the shared space and of each of its sub-spaces, the paper's."""
    subspaces: int = Field(default=3, ge=1, le=64)
    """Sub-spaces of the late interaction."""
    samples: int | None = Field(default=2000, ge=32)
    """Maximum training samples (prefix, next item) to align, one encoder pass each; null: all, as in the paper."""
    alignment_batch: int = Field(default=32, ge=2)
    """Samples per alignment step, each a negative of the others. The paper's 6,400 needs large memory."""
    alignment_epochs: int = Field(default=5, ge=0)
    """Epochs over the samples; 0 leaves SASRec unaligned, apart from its output layer."""
    alignment_learning_rate: float = Field(default=1e-3, gt=0.0)
    """Peak learning rate of AdamW for all but the encoder; 5e-4 in the paper, which takes many more steps."""
    encoder_learning_rate: float = Field(default=5e-5, gt=0.0)
    """Peak learning rate of the encoder's trained layers."""
    warmup_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the alignment steps with linear warm-up."""
    search: Trials = Field(
        [{}, {"alignment_loss": "bce"}, {"encoder_layers": 0}, {"loss": "bce", "learning_rate": 1e-3}]
    )
    """One entry per trial; the first two are the two alignment losses."""
