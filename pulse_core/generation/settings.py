"""Settings of text generation."""

from typing import Literal

from pydantic import Field

from pulse_core.settings import Settings


class VLLMSettings(Settings):
    """What only the engine `vllm` reads."""

    max_model_tokens: int = Field(default=4096, ge=128)
    """Longest prompt and answer together, in tokens; a stage with a longer one is refused before it writes anything.
    The cache has room for one such sequence at least. For a LongRoPE model such as Phi-4-mini stay at or below its
    `original_max_position_embeddings`: above, vLLM uses the long factors for every text, transformers for long ones
    alone, and the engines no longer write the same. Part of a text's identity therefore."""
    gpu_memory_share: float = Field(default=0.9, gt=0, le=1)
    """Share of the GPU's memory for weights and cache; on a CPU, of the machine's."""


class GenerationSettings(Settings):
    """Which engine writes, and how much at a time."""

    engine: Literal["auto", "transformers", "vllm", "fake"] = "auto"
    """`transformers` runs anywhere. `vllm` is for GPUs (`make setup TORCH=cuda`); both write the same texts, up to
    floating-point noise (and see `vllm.max_model_tokens`). `auto`: vllm where it is installed and there is a GPU, else
    transformers; the job's log says which and why. `fake` makes up text without a model; only tests may use it
    (`testing: true`)."""
    batch_size: int = Field(default=96, ge=1)
    """Texts written side by side. Raise it on a GPU until memory is full; on a CPU 64-128 is best."""
    chunk_prompts: int = Field(default=64, ge=1)
    """Prompts between two entries of the journal: what a killed stage loses at most. Part of a text's identity, since
    what is batched together shares floating-point noise."""
    vllm: VLLMSettings = VLLMSettings()
    shards: int = Field(default=1, ge=1)
    """Jobs that a writing stage is scattered into: one for each GPU of a machine, as many as you like on a cluster. The
    texts are the same whatever their number. Whole chunks are dealt out: shards beyond `examples / chunk_prompts` are
    empty and end at once, without loading the model."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Precision of the language model while it writes. `auto`: bfloat16 where the hardware multiplies it faster than
    float32 (GPUs, AMX, AMD's AVX-512), else float32. Name one to have the same arithmetic on every machine."""
