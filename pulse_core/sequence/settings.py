"""Settings of the sequence stages, one model per stage, so that a changed value reruns only that stage."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pulse_core.settings import Settings


class BackboneSettings(Settings):
    """The shape of SASRec and of the models built on it."""

    dimension: int = Field(50, ge=2, le=1024)
    """Width of item embeddings and states. 50 suits 5-core Amazon sets; raise it for catalogues above 50,000 items."""
    blocks: int = Field(2, ge=1, le=12)
    """Self-attention blocks."""
    heads: int = Field(1, ge=1, le=16)
    """Attention heads; must divide `dimension`."""
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward layers. 0.5 for sparse data, 0.2 for long, dense histories."""
    max_length: int = Field(50, ge=1, le=1000)
    """Maximum history length; older items are dropped."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dimension % self.heads:
            raise ValueError(f"heads = {self.heads} must divide dimension = {self.dimension}")
        return self


class SASRecTrainingSettings(BackboneSettings):
    """SASRec's architecture and training, wherever it is trained."""

    loss: Literal["bce", "ce"] = "ce"
    """`ce`: softmax over the catalogue, the stronger loss. `bce`: a uniform negative per position, as in the paper."""
    learning_rate: float = Field(3e-3, gt=0.0)
    """Learning rate of Adam. The paper's 0.001 with batches of 128 reaches the same quality in twice the time."""
    batch_size: int = Field(256, ge=1)
    """Users per step. Lower the learning rate with it."""
    epochs: int = Field(200, ge=1)
    """Maximum number of epochs."""
    evaluate_every: int = Field(5, ge=1)
    """Epochs between validations (full-ranking NDCG@10)."""
    patience: int = Field(4, ge=1)
    """Stop after this many validations without improvement; the best model is kept."""


class SASRecSettings(SASRecTrainingSettings):
    """The sequence model (Kang & McAuley 2018, pre-norm) and its training."""

    validation_examples: int = Field(10_000, ge=1)
    """Maximum validation examples per check, sampled by seed: enough to find the best epoch."""
    cross_fit_folds: int = Field(3, ge=0, le=20)
    """Number of cross-fitting folds; each adds one model. Training examples get their states and neighbours from a
    model that never saw their users, so they are as informative as at test time. 0 turns it off."""

    @model_validator(mode="after")
    def _consistent(self) -> "SASRecSettings":
        if self.cross_fit_folds == 1:
            raise ValueError("sasrec.cross_fit_folds = 1 leaves no user to train on: use 0 (off) or at least 2")
        return self


class CandidateSettings(Settings):
    """The items among which every system ranks the target."""

    count: int = Field(10, ge=2)
    """Candidates per example, including the target. The paper uses 10; chance is 1/count."""
    kind: Literal["uniform", "sasrec_hard"] = "uniform"
    """`uniform`: from all items the user never touched. `sasrec_hard`: from SASRec's top ranks, a harder test."""
    hard_depth: int = Field(100, ge=10)
    """`sasrec_hard` only: number of SASRec's top items to draw from."""

    @model_validator(mode="after")
    def _deep_enough(self) -> "CandidateSettings":
        if self.kind == "sasrec_hard" and self.hard_depth < self.count:
            raise ValueError(
                f"candidates.hard_depth: got {self.hard_depth}, expected at least candidates.count ({self.count})"
            )
        return self


class NeighbourSettings(Settings):
    """Users with similar taste, and their items that best predict the next purchase."""

    users: int = Field(50, ge=1)
    """Number of nearest users, by cosine of SASRec states. On Luxury Beauty (`sasrec_share` 0) the next purchase was
    among the first 10 items in .386 of validation examples with 10 users, .394 with 20, .414 with 50, .412 with 100."""
    temperature: float = Field(0.1, gt=0.0)
    """A neighbour's weight is exp(cosine / temperature). Low values trust the nearest; high ones weigh all alike."""
    after_decay: float = Field(0.8, ge=0.0, le=1.0)
    """Factor per step on the weight of a neighbour's purchases after the most similar state; the first has weight 1."""
    before_weight: float = Field(0.2, ge=0.0, le=1.0)
    """Weight of a neighbour's last purchase before that state; earlier purchases weigh less."""
    sasrec_share: float = Field(0.5, ge=0.0, le=1.0)
    """x in the score that orders the items: (share of the neighbours' weight) ** (1 - x) * (SASRec's softmax
    probability) ** x. 0 uses the neighbours only. The next purchase is among the first 3 items in .339 of Luxury
    Beauty's validation examples with 0.5, .334 with 0, and .330 with SASRec alone."""
    popularity_exponent: float = Field(0.0, ge=0.0, le=1.0)
    """Weights are divided by item popularity to this power, which favours rare items. It cost hits on Luxury Beauty;
    raise it only if the same bestsellers fill every list."""
    items: int = Field(12, ge=1, le=100)
    """Maximum items kept per example, best first."""
