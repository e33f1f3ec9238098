"""Parameters of transformers, and peak memory of each stage on one GPU, in bytes by part, with a margin.

`width` is the size of a number in bytes: 2 in bfloat16, 4 in float32. Activations are a multiple of hidden plus
feed-forward size per token and layer, chosen so that small models measured with torch stay below the estimate.
"""

import math
from collections.abc import Mapping
from typing import Any

from pulse_core.errors import InputError
from pulse_core.generation.settings import GenerationSettings
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning.counting import PromptCounts
from pulse_core.ranking.settings import RankerSettings
from pulse_core.thought_space.settings import ThoughtSpaceSettings

GIB = 2**30
PROCESS = GIB  # CUDA context and libraries
MARGIN = 0.2  # of everything but weights: fragmentation, buffers, terms the formulas omit
VLLM_STEP_TOKENS = 8192  # tokens per step of vLLM on GPUs below 70 GB
ENCODER_STATES, LORA_STATES = 4.5, 11  # activations per token and layer, times hidden plus feed-forward size
FOUR_BIT = 0.5 + 4 / 64  # bytes per weight: 4 bits, and a float32 scale per block of 64
ENCODERS = {"bert", "distilbert", "roberta", "mpnet"}
Parts = dict[str, float]


def shape_of_config(config: Mapping[str, Any], source: str) -> ShapeSettings:
    """The dimensions in a model's config.json; `source` names the file in errors.

    Raises:
        InputError: a dimension is missing (an unknown family of models).
    """

    def size(*names: str) -> int:
        for name in names:
            if config.get(name):
                return int(config[name])
        raise InputError(f"{source}: has no {names[0]}, so its size is unknown: give its shape under plan.models")

    hidden, heads = size("hidden_size", "dim"), size("num_attention_heads", "n_heads")
    encoder = config.get("model_type") in ENCODERS
    return ShapeSettings(
        kind="encoder" if encoder else "causal",
        layers=size("num_hidden_layers", "n_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=size("intermediate_size", "hidden_dim"),
        vocabulary=size("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", encoder)),
    )


def layer_parameters(shape: ShapeSettings) -> int:
    """Weights of all layers' matrices, without embeddings, biases and norms (the latter two are below 1 %)."""
    attention = 2 * shape.hidden * shape.head_dim * (shape.heads + shape.kv_heads)
    matrices = 2 if shape.kind == "encoder" else 3  # up, down and gate
    return shape.layers * (attention + matrices * shape.hidden * shape.intermediate)


def embedding_parameters(shape: ShapeSettings) -> int:
    """Parameters of input and output embeddings."""
    return (1 if shape.tied else 2) * shape.vocabulary * shape.hidden


def parameters(shape: ShapeSettings) -> int:
    """All parameters."""
    return layer_parameters(shape) + embedding_parameters(shape)


def cache_bytes(shape: ShapeSettings, width: int) -> int:
    """Bytes of the KV cache per token, at `width` bytes per number."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * width


def _parts(weights: float, **others: float) -> Parts:
    return {"weights": weights, **others, "process and margin": PROCESS + MARGIN * sum(others.values())}


def vllm_memory(shape: ShapeSettings, settings: GenerationSettings, width: int, capacity: float) -> Parts:
    """vLLM gives its cache what is left of its share of the GPU: one sequence of maximum length must fit."""
    states = VLLM_STEP_TOKENS * width * 4 * (shape.hidden + shape.intermediate)
    logits = 16 * settings.batch_size * shape.vocabulary
    parts = _parts(width * parameters(shape), activations=states + logits)
    left = settings.vllm.gpu_memory_share * capacity - sum(parts.values())
    sequence = float(cache_bytes(shape, width) * settings.vllm.max_model_tokens)
    if left < sequence:
        parts["not used by vLLM"] = (1 - settings.vllm.gpu_memory_share) * capacity
    return {**parts, "cache": max(left, sequence)}


def transformers_memory(shape: ShapeSettings, width: int, batch: int, counts: PromptCounts, new_tokens: int) -> Parts:
    """The cache holds the shared prefix once, and the rest of each sequence twice while a batch is assembled."""
    tokens = counts.shared + 2 * batch * (counts.longest - counts.shared + new_tokens)
    cache = cache_bytes(shape, width) * tokens
    return _parts(width * parameters(shape), cache=cache, activations=12 * batch * shape.vocabulary)


def _encoder_states(shape: ShapeSettings, length: int, *, fused: bool) -> float:
    """Numbers per token and layer; unfused attention also keeps its scores."""
    return ENCODER_STATES * (shape.hidden + shape.intermediate) + (0 if fused else 3 * shape.heads * length)


def encoder_training_memory(
    shape: ShapeSettings, settings: ThoughtSpaceSettings, width: int, lengths: tuple[int, int], *, fused: bool
) -> Parts:
    """Both encoders in float32 with AdamW and the best epoch's weights, and a batch of texts of these lengths, which
    several processes divide; they exchange gradients."""
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
    """The ranker on `batch_users` questions of `length` tokens; `predicted` of them need logits (head `likelihood`)."""
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
