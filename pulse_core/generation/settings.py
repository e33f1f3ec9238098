"""Settings of text generation."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class VLLMSettings(Settings):
    """Read by the engine `vllm` only."""

    max_model_tokens: int = Field(default=4096, ge=128)
    """Maximum tokens of prompt plus answer; a stage with a longer prompt is refused before it writes anything. Part of
    a text's identity: for a LongRoPE model such as Phi-4-mini, stay at or below its
    `original_max_position_embeddings`, because above it vLLM uses the long factors for every text, transformers only
    for long ones."""
    gpu_memory_share: float = Field(default=0.9, gt=0, le=1)
    """Share of the GPU's memory (on a CPU, of the machine's) for weights and cache."""


class GenerationSettings(Settings):
    """The text generation engine and its batch sizes."""

    engine: Literal["auto", "transformers", "vllm", "fake"] = "auto"
    """`transformers` runs anywhere; `vllm` needs a GPU (`make setup TORCH=cuda`). Both write the same texts, up to
    floating-point noise (see `vllm.max_model_tokens`). `auto`: vllm if it is installed and there is a GPU, else
    transformers; the job's log says why. `fake` makes up text without a model, for tests only (`testing: true`)."""
    batch_size: int = Field(default=96, ge=1)
    """Texts generated in parallel. On a GPU, raise it until memory is full; on a CPU 64-128 is best."""
    chunk_prompts: int = Field(default=64, ge=1)
    """Prompts per journal entry: a killed stage loses at most this many. Part of a text's identity, since texts of one
    batch share floating-point noise."""
    vllm: VLLMSettings = VLLMSettings()
    shards: int = Field(default=1, ge=1, le=1000)
    """Jobs per writing stage: one per GPU on one machine, any number on a cluster. Does not change the texts. Shards
    get whole chunks; those beyond `examples / chunk_prompts` stay empty and do not load the model."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Precision of the language model while generating. `auto`: bfloat16 on hardware that multiplies it faster than
    float32 (GPUs, AMX, AMD's AVX-512), else float32. Set one explicitly for the same arithmetic on every machine."""
