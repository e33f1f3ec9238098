"""Peak memory of each stage on one GPU, in bytes by part: weights, optimiser, cache and activations, with a margin.

`width` is the size of a number in bytes: 2 in bfloat16, 4 in float32. Activations are a multiple of hidden plus
feed-forward size per token and layer, chosen so that small models measured with torch stay below the estimate.
"""

import math

from pulse_core.generation.settings import GenerationSettings
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning.counting import PromptCounts
from pulse_core.planning.shapes import cache_bytes, embedding_parameters, layer_parameters, parameters
from pulse_core.ranking.settings import RankerSettings
from pulse_core.thought_space.settings import ThoughtSpaceSettings

GIB = 2**30
PROCESS = GIB  # CUDA context and libraries
MARGIN = 0.2  # of everything but weights: fragmentation, buffers, terms the formulas omit
VLLM_STEP_TOKENS = 8192  # tokens per step of vLLM on GPUs below 70 GB
ENCODER_STATES, LORA_STATES = 4.5, 11  # activations per token and layer, times hidden plus feed-forward size
FOUR_BIT = 0.5 + 4 / 64  # bytes per weight: 4 bits, and a float32 scale per block of 64
Parts = dict[str, float]


def _parts(weights: float, **others: float) -> Parts:
    return {"weights": weights, **others, "process and margin": PROCESS + MARGIN * sum(others.values())}


def vllm_memory(shape: ShapeSettings, settings: GenerationSettings, width: int, capacity: float) -> Parts:
    """vLLM takes its share of the GPU and gives the cache what is left: at least one sequence of maximum length must
    fit."""
    states = VLLM_STEP_TOKENS * width * 4 * (shape.hidden + shape.intermediate)
    logits = 16 * settings.batch_size * shape.vocabulary
    parts = _parts(width * parameters(shape), activations=states + logits)
    left = settings.vllm.gpu_memory_share * capacity - sum(parts.values())
    sequence = float(cache_bytes(shape, width) * settings.vllm.max_model_tokens)
    if left < sequence:
        parts["not used by vLLM"] = (1 - settings.vllm.gpu_memory_share) * capacity
    return {**parts, "cache": max(left, sequence)}


def transformers_memory(shape: ShapeSettings, width: int, batch: int, counts: PromptCounts, new_tokens: int) -> Parts:
    """The transformers engine caches the shared prefix once, and the rest of each sequence twice while a batch is
    assembled."""
    tokens = counts.shared + 2 * batch * (counts.longest - counts.shared + new_tokens)
    cache = cache_bytes(shape, width) * tokens
    return _parts(width * parameters(shape), cache=cache, activations=12 * batch * shape.vocabulary)


def _encoder_states(shape: ShapeSettings, length: int, *, fused: bool) -> float:
    """Numbers per token and layer; unfused attention also keeps its scores."""
    return ENCODER_STATES * (shape.hidden + shape.intermediate) + (0 if fused else 3 * shape.heads * length)


def encoder_training_memory(
    shape: ShapeSettings, settings: ThoughtSpaceSettings, width: int, lengths: tuple[int, int], *, fused: bool
) -> Parts:
    """Both encoders in float32 with AdamW and the best epoch's weights, and a batch of texts of these lengths; several
    processes divide the batch and exchange gradients."""
    weights, processes = 2 * parameters(shape), settings.processes
    numbers = sum(length * _encoder_states(shape, length, fused=fused) for length in lengths)
    return _parts(
        4 * weights,
        optimiser=(20 if processes == 1 else 28) * weights,
        activations=math.ceil(settings.batch_size / processes) * shape.layers * width * numbers,
    )


def encoding_memory(shape: ShapeSettings, width: int, batch: int, length: int, *, fused: bool) -> Parts:
    """Two frozen encoders in float32, and one layer of a batch."""
    numbers = batch * length * _encoder_states(shape, length, fused=fused)
    return _parts(8 * parameters(shape), activations=width * numbers)


def lora_parameters(shape: ShapeSettings, settings: RankerSettings) -> int:
    """Parameters of the adapters: inputs and outputs of seven matrices per layer."""
    numbers = 7 * shape.hidden + 2 * shape.head_dim * (shape.heads + shape.kv_heads) + 3 * shape.intermediate
    return settings.adapted(shape.layers) * settings.lora_r * numbers


def ranker_memory(
    shape: ShapeSettings, settings: RankerSettings, width: int, length: int, predicted: int, *, trains: bool
) -> Parts:
    """The ranker on `batch_users` packed questions of `length` tokens; `predicted` of them need logits over the
    vocabulary (head `likelihood`)."""
    layers, tokens = settings.adapted(shape.layers), settings.batch_users * length
    linear = FOUR_BIT if settings.load_in_4bit else width
    scores = 6 * shape.heads * length if settings.attention == "eager" else 0
    layer = tokens * (LORA_STATES * width * (shape.hidden + shape.intermediate) + scores)
    kept = layer
    if trains:
        inputs = tokens * width * shape.hidden  # of a layer, from which checkpointing recomputes it
        kept += layer + layers * inputs if settings.gradient_checkpointing else layers * layer
    return _parts(
        linear * layer_parameters(shape) + width * embedding_parameters(shape),
        # Weights, gradients, two moments, best and previous weights in float32.
        optimiser=24 * lora_parameters(shape, settings) if trains else 0,
        activations=kept + settings.batch_users * predicted * shape.vocabulary * (16 if trains else 8),
    )
