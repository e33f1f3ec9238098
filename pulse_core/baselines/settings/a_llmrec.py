"""Settings of A-LLMRec, without and with the selected rationale in its prompt."""

from typing import Literal

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.settings import Settings


class AlignmentSettings(Settings):
    """Stage 1: each item's collaborative and text embeddings are encoded into a shared code."""

    code_dimension: int = Field(default=128, ge=2)
    """Width of the codes; 128 in the paper."""
    item_weight: float = Field(default=0.5, ge=0)
    """Weight of the reconstruction loss of collaborative embeddings (the paper's alpha)."""
    text_weight: float = Field(default=0.2, ge=0)
    """Weight of the reconstruction loss of text embeddings (the paper's beta: 0.2 for Beauty, 0.5 for larger sets)."""
    text_tokens: int = Field(default=96, ge=8)
    """Maximum tokens of an item's title and description; 512 in the paper."""
    encoder_layers: int | None = Field(default=0, ge=0)
    """Top layers of the text encoder to train; null: all, as in the paper; 0: none, which a CPU can afford."""
    text_learning_rate: float = Field(default=2e-5, gt=0)
    """Learning rate of Adam for those layers."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of Adam. The paper's 1e-4 is for datasets with a hundred times as many users per epoch."""
    batch_users: int = Field(default=32, ge=1)
    """Users per step, each with its training target and one negative."""
    epochs: int = Field(default=100, ge=1)
    """Maximum number of epochs; the paper's 10 are for datasets with many more users."""
    evaluate_every: int = Field(default=5, ge=1)
    """Epochs between validations (NDCG@10 of the reconstructed items in the whole catalogue)."""
    patience: int = Field(default=4, ge=1)
    """Stop after this many validations without improvement; the best model is kept."""


class ALLMRecSettings(TunedSettings):
    """A-LLMRec (Kim et al. 2024), with and without rationales, on the configured SLM instead of OPT-6.7B."""

    collaborative: SASRecTrainingSettings = SASRecTrainingSettings()
    alignment: AlignmentSettings = AlignmentSettings()
    history_items: int = Field(default=5, ge=1)
    """Number of latest purchases in the prompt; 10 in the paper."""
    title_chars: int = Field(default=32, ge=8)
    """Maximum title length in characters, cut at a word; candidates that would read the same keep more."""
    max_tokens: int = Field(default=768, ge=64)
    """Maximum tokens of prompt plus title. Only purchases are dropped, the oldest first."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Stage 2: learning rate of Adam for both projections, the paper's."""
    batch_users: int = Field(default=4, ge=1)
    """Stage 2: users per step, as in the paper, and per scoring pass."""
    epochs: int = Field(default=2, ge=1)
    """Stage 2: maximum number of epochs; 10 in the paper."""
    patience: int = Field(default=2, ge=1)
    """Stage 2: stop after this many epochs without a better validation NDCG@10 among the candidates."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the language model, weights included; `auto` as in `generation.dtype`."""
    search: Trials = Field([{}, {"learning_rate": 1e-3}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3}])
    """One entry per trial. Trials that leave `collaborative` and `alignment` unchanged share stages 0 and 1."""
