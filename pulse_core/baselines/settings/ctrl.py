"""Settings of CTRL."""

from typing import Literal

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import SASRecTrainingSettings


class CTRLSettings(TunedSettings, SASRecTrainingSettings):
    """CTRL (Li et al. 2023): a SASRec that is first aligned with texts of the same samples, then fine-tuned alone."""

    history_items: int = Field(default=3, ge=1, le=1000)
    """The last so many titles of a history are in the prompt; the paper shows all."""
    max_tokens: int = Field(default=72, ge=16, le=8192)
    """Longest prompt in tokens: the oldest titles are left out until it fits."""
    encoder_layers: int | None = Field(default=1, ge=0)
    """So many top layers of the encoder are trained, and what the layers below make of each prompt is kept; null: all,
    as in the paper; 1 is what the paper does with its largest encoder; 0: none."""
    alignment_loss: Literal["softmax", "bce"] = "softmax"
    """`softmax`: the paper's InfoNCE. `bce`: every similarity as the logit of being one sample, as in the code of
    A-LLMRec's authors, but with positives and negatives weighing alike."""
    temperature: float = Field(default=0.7, gt=0.0)
    """Of the softmax; the paper's."""
    projection: int = Field(default=128, ge=2, le=4096)
    """Width of the common space and of each of its sub-spaces; the paper's."""
    subspaces: int = Field(default=3, ge=1, le=64)
    """Sub-spaces of the late interaction."""
    samples: int | None = Field(default=2000, ge=32)
    """At most so many training samples (a prefix of a user's sequence and the item after it), drawn by seed, are
    aligned; null: all, as in the paper. Each costs a pass through the encoder."""
    alignment_batch: int = Field(default=32, ge=2)
    """Samples in one step of the alignment, each the others' negative. The paper's 6,400 needs large memory."""
    alignment_epochs: int = Field(default=5, ge=0)
    """Passes over the samples; 0 leaves SASRec as it is, but for its output layer."""
    alignment_learning_rate: float = Field(default=1e-3, gt=0.0)
    """Of AdamW for all but the encoder, after a linear warm-up. The paper's 5e-4 is of batches 200 times larger, but
    many more of them."""
    encoder_learning_rate: float = Field(default=5e-5, gt=0.0)
    """Of the encoder's trained layers, after the same warm-up."""
    warmup_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the alignment's steps in which its learning rates rise."""
    search: Trials = Field(
        default=[{}, {"alignment_loss": "bce"}, {"encoder_layers": 0}, {"loss": "bce", "learning_rate": 1e-3}]
    )
    """One entry a trial; the first two are both alignment losses."""
