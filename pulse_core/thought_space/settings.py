"""Settings of the Thought Space stage."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class ThoughtSpaceSettings(Settings):
    """How E1 and E2 are trained. The defaults are the paper's where it gives a value (section 5.3)."""

    domains: list[str] = Field(default_factory=list)
    """Domains whose rationales train one space together; empty: the domain's own alone. Needs their rationales."""
    inter_domain_negatives: bool = True
    """May a negative come from another domain? With several domains, true contrasts inside and across domains (the
    paper's reading); false contrasts inside each domain only, which is harder: other domains are easy to tell."""
    pooling: Literal["mean", "cls"] = "mean"
    """How token states become one vector: `mean` suits MiniLM and other sentence encoders, `cls` DistilBERT."""
    max_tokens: int = Field(default=96, ge=8, le=8192)
    """Longest text an encoder reads; the rest is cut off its end. Cost grows with it: raise it with long histories."""
    batch_size: int = Field(default=32, ge=2)
    """Users a step. Negatives come from the same batch, so it must be larger than `negatives` to draw that many."""
    negatives: int = Field(default=10, ge=1)
    """M of Eq. (1): other users' positive rationales drawn for each user. A batch with fewer gives all it has."""
    temperature: float = Field(default=0.05, gt=0, le=1)
    """Tau of Eq. (1). Lower: harder contrast, and more harm from negatives that would fit the user just as well."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """AdamW's peak rate, the paper's. Watch the curve in training.json: where the loss falls and the validation MRR
    does not rise, a higher rate only fits the training users."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of weight matrices (biases and layer norms are spared)."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises linearly; it falls along a cosine afterwards."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest gradient norm of a step; guards the first steps from a batch of odd texts."""
    epochs: int = Field(default=5, ge=1)
    """Passes over the training examples."""
    max_steps: int | None = Field(default=None, ge=1)
    """Upper limit on steps over all epochs (a step of 32 users costs 2-4 s on two CPU cores); null: no limit."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many epochs without a better validation MRR; null: run all. The best epoch is kept either way."""
    target_dropout: float = Field(default=0.5, ge=0, le=1)
    """Share of training examples whose behaviour text leaves the target out, drawn anew each epoch. Selection reads
    history-only text, so 0 trains E2 on a kind of text it will never see again; 1 never shows it what was bought."""
    validation_share: float = Field(default=0.15, ge=0, lt=1)
    """Share of users held out of training, for retrieval, alignment and uniformity. 0: nothing is measured."""
    retrieval_pool: int = Field(default=32, ge=2)
    """Rationales that compete in validation retrieval (the right one among them); chance is 1 over this."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the arithmetic (weights stay float32); `auto` as in `generation.dtype`."""
    encode_batch_size: int = Field(default=64, ge=1)
    """Texts encoded at once outside training; matters on a GPU, little on a CPU."""
    processes: int = Field(default=1, ge=1, le=64)
    """Training processes, one a GPU: the stage asks for that many `gpu` and divides each batch among them. The paper's
    encoders fit one card: prefer 1 where other stages or domains can use the other cards meanwhile, for two jobs on a
    card each do more in an hour than one job on two. Results differ by rounding, and by which units dropout drops."""

    def steps(self, examples: int) -> int:
        """Steps over all epochs of so many training examples."""
        steps = self.epochs * max(examples // self.batch_size, 1)
        return min(steps, self.max_steps or steps)
