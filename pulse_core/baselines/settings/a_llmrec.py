"""Settings of A-LLMRec, without and with the selected rationale in its prompt."""

from typing import Literal

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.settings import Settings


class AlignmentSettings(Settings):
    """Stage 1: an item's collaborative and its text embedding are brought together in codes of one width."""

    code_dimension: int = Field(default=128, ge=2)
    """Width of the codes; 128 is the paper's."""
    item_weight: float = Field(default=0.5, ge=0)
    """Weight of the reconstruction of collaborative embeddings (the paper's alpha)."""
    text_weight: float = Field(default=0.2, ge=0)
    """Weight of the reconstruction of text embeddings (the paper's beta: 0.2 for Beauty, 0.5 for its larger sets)."""
    text_tokens: int = Field(default=96, ge=8)
    """Tokens read of an item's title and description; the paper's encoder reads 512."""
    encoder_layers: int | None = Field(default=0, ge=0)
    """So many top layers of the text encoder are trained along; null: all, as in the paper. 0 embeds each item once,
    which is what a CPU can do."""
    text_learning_rate: float = Field(default=2e-5, gt=0)
    """Adam's learning rate for those layers."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's learning rate. The paper's 1e-4 is for sets with a hundred times the users a pass."""
    batch_users: int = Field(default=32, ge=1)
    """Users a step; each gives its training target and a negative."""
    epochs: int = Field(default=100, ge=1)
    """Passes over the users at most; the paper's 10 are of sets with many more users."""
    evaluate_every: int = Field(default=5, ge=1)
    """Epochs between two looks at validation (NDCG@10 of the reconstructed items in the whole catalogue)."""
    patience: int = Field(default=4, ge=1)
    """Looks without a better one before training stops."""


class ALLMRecSettings(TunedSettings):
    """A-LLMRec (Kim et al. 2024), without and with reasons: collaborative embeddings as soft tokens in a frozen prompt.

    The language model is the configured SLM in the place of OPT-6.7B, so that the systems' backbones match.
    """

    collaborative: SASRecTrainingSettings = SASRecTrainingSettings()
    alignment: AlignmentSettings = AlignmentSettings()
    history_items: int = Field(default=5, ge=1)
    """Purchases in the prompt; the paper's 10."""
    title_chars: int = Field(default=32, ge=8)
    """Titles are cut at a word to this many characters; candidates that would read alike keep more of theirs."""
    max_tokens: int = Field(default=768, ge=64)
    """Longest prompt plus title. The oldest purchases are dropped first; rationale and candidates never are."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Stage 2: Adam's learning rate for both projections, the paper's."""
    batch_users: int = Field(default=4, ge=1)
    """Stage 2: users a step, as in the paper, and users scored side by side."""
    epochs: int = Field(default=2, ge=1)
    """Stage 2: passes over the training users at most; the paper's 10 on an accelerator."""
    patience: int = Field(default=2, ge=1)
    """Stage 2: epochs without a better validation NDCG@10 among the candidates before training stops."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the language model, weights included; `auto` as in `generation.dtype`."""
    search: Trials = Field(default=[{}, {"learning_rate": 1e-3}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3}])
    """One entry a trial. Trials that leave `collaborative` and `alignment` alone share both stages."""
