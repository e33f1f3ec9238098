"""Settings of the sequence stages, one model a stage, so that editing one reruns that stage alone."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pulse_core.settings import Settings


class SASRecTrainingSettings(Settings):
    """SASRec's shape and training, wherever it is trained."""

    dimension: int = Field(50, ge=2, le=1024)
    """Width of item embeddings and states. 50 suits 5-core Amazon sets; raise it for catalogues above 50,000 items."""
    blocks: int = Field(2, ge=1, le=12)
    """Self-attention blocks."""
    heads: int = Field(1, ge=1, le=16)
    """Attention heads; must divide `dimension`."""
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward layers. 0.5 for sparse data, 0.2 for long, dense histories."""
    max_length: int = Field(50, ge=1, le=1000)
    """The last so many items of a history are read."""
    loss: Literal["bce", "ce"] = "ce"
    """`ce`: softmax over the whole catalogue (the stronger); `bce`: one uniform negative a position (the original)."""
    learning_rate: float = Field(3e-3, gt=0.0)
    """Of Adam with betas (0.9, 0.98). The paper's 0.001 with batches of 128 ends at the same quality in twice the
    time."""
    batch_size: int = Field(256, ge=1)
    """Users in one step; lower the learning rate with it."""
    epochs: int = Field(200, ge=1)
    """At most so many passes over the training sequences."""
    evaluate_every: int = Field(5, ge=1)
    """Epochs between two looks at the validation targets (full-ranking NDCG@10)."""
    patience: int = Field(4, ge=1)
    """Stop after so many looks without improvement and keep the best model."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dimension % self.heads:
            raise ValueError(f"heads = {self.heads} must divide dimension = {self.dimension}")
        return self


class SASRecSettings(SASRecTrainingSettings):
    """The sequence model (Kang & McAuley 2018, pre-norm) and its training."""

    validation_examples: int = Field(10_000, ge=1)
    """Look at so many validation examples at most, drawn by seed: enough to see which epoch is best."""
    cross_fit_folds: int = Field(3, ge=0, le=20)
    """Training examples get states and neighbours from a model that never saw their users, so that neighbours tell as
    much in training as at test. So many folds of users, one more model each; 0 turns cross-fitting off."""

    @model_validator(mode="after")
    def _consistent(self) -> "SASRecSettings":
        if self.cross_fit_folds == 1:
            raise ValueError("sasrec.cross_fit_folds = 1 leaves no user to train on: use 0 (off) or at least 2")
        return self


class CandidateSettings(Settings):
    """The items among which every model ranks the target."""

    count: int = Field(10, ge=2)
    """Candidates of each example, the target among them. The paper's figures are of 10; chance is 1/count."""
    kind: Literal["uniform", "sasrec_hard"] = "uniform"
    """`uniform`: drawn from all items the user never touched. `sasrec_hard`: from SASRec's top ranks, a harder test."""
    hard_depth: int = Field(100, ge=10)
    """`sasrec_hard` only: draw from so many of SASRec's best-ranked items."""

    @model_validator(mode="after")
    def _deep_enough(self) -> "CandidateSettings":
        if self.kind == "sasrec_hard" and self.hard_depth < self.count:
            raise ValueError(
                f"candidates.hard_depth: got {self.hard_depth}, wants at least candidates.count ({self.count})"
            )
        return self


class NeighbourSettings(Settings):
    """The users whose taste is nearest, and which of their items tell most about the next purchase."""

    users: int = Field(50, ge=1)
    """Nearest users by cosine of SASRec states. On Luxury Beauty the next purchase was among the first 10 items of
    .386 of validation examples with 10 users, .394 with 20, .414 with 50 and .412 with 100 (at `sasrec_share` 0)."""
    temperature: float = Field(0.1, gt=0.0)
    """A neighbour weighs exp(cosine / temperature): lower trusts the nearest few, higher counts heads."""
    after_decay: float = Field(0.8, ge=0.0, le=1.0)
    """A neighbour's next purchase after the moment of likeness weighs 1, each one further away this much less again."""
    before_weight: float = Field(0.2, ge=0.0, le=1.0)
    """What a neighbour bought just before that moment weighs this much, earlier items less: alike users' pasts tell
    too."""
    sasrec_share: float = Field(0.5, ge=0.0, le=1.0)
    """Items are ordered by share ** (1 - x) * probability ** x, of the neighbours' weights and SASRec's softmax. 0: by
    the neighbours alone. 0.5 puts the next purchase among the first 3 in .339 of Luxury Beauty's validation examples,
    0 in .334, and SASRec over the whole catalogue in .330."""
    popularity_exponent: float = Field(0.0, ge=0.0, le=1.0)
    """Neighbours' weights are divided by popularity to this power, to bring rare items forward. It cost hits on Luxury
    Beauty: raise it only if the same few bestsellers fill every list."""
    items: int = Field(12, ge=1, le=100)
    """At most so many items are kept for each example, most telling first."""
