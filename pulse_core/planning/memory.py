"""The most that each stage holds in a card's memory at once, part by part (docs/planning.md has the arithmetic).

The formulas count what is there before the backward pass and one layer more; tests/planning compares them with what
torch really holds. Numbers are `width` bytes wide: 2 in bfloat16, 4 in float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pulse_core.generation.settings import GenerationSettings
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning.shapes import (
    cache_bytes,
    embedding_parameters,
    layer_parameters,
    linear_layers,
    lora_parameters,
    parameters,
)
from pulse_core.ranking.settings import RankerSettings
from pulse_core.thought_space.settings import ThoughtSpaceSettings

GIB = 2**30
# The process itself: CUDA's context and libraries on a card, Python and torch on the CPU (0.4 GiB there, measured).
PROCESS = int(0.75 * GIB)
# What vLLM prefills in one step on cards under 70 GB, and what its captured graphs take (its own documents).
VLLM_STEP_TOKENS = 8192
VLLM_GRAPHS = int(0.75 * GIB)
# Of the transformers engine, which imports torch and so is not imported here: prompts prefilled side by side, and
# tokens that each sequence's cache reserves ahead.
PREFILL_PROMPTS, RESERVE = 16, 64
# Four bits and the scale of each block of 64 in float32.
FOUR_BIT = 0.5 + 4 / 64


@dataclass(frozen=True)
class Memory:
    """Bytes by part, and what to do where they don't fit."""

    parts: Mapping[str, int]
    advice: str
    sequences: int | None = None  # vLLM: sequences of mean length that its cache holds side by side

    @property
    def total(self) -> int:
        """All parts."""
        return sum(self.parts.values())


def vllm_memory(
    shape: ShapeSettings, settings: GenerationSettings, width: int, card: float, mean_tokens: float
) -> Memory:
    """vLLM takes its share of the card, and gives to the cache what weights and work leave; at least one sequence of
    the greatest length must find room there."""
    share, longest = settings.vllm.gpu_memory_share, settings.vllm.max_model_tokens
    parts = {
        "weights": width * parameters(shape),
        "one step's states": VLLM_STEP_TOKENS * width * (3 * shape.intermediate + 4 * shape.hidden),
        # Float32 logits, their softmax, sorted, and its order.
        "logits": 4 * 4 * settings.batch_size * shape.vocabulary,
        "process and graphs": PROCESS + VLLM_GRAPHS,
    }
    token = cache_bytes(shape, width)
    room = int(share * card) - sum(parts.values())
    if room < token * longest:  # vLLM does not start, however much of the card it leaves alone
        room = token * longest
        parts["left alone by vLLM"] = int((1 - share) * card)
    return Memory(
        {**parts, "cache": room},
        "lower generation.vllm.max_model_tokens or generation.batch_size, raise generation.vllm.gpu_memory_share, or "
        "name a smaller models.slm",
        int(room // (token * mean_tokens)) if mean_tokens else None,
    )


def transformers_memory(shape: ShapeSettings, width: int, batch: int, shared: float, own: float) -> Memory:
    """The embedded engine: the shared beginning once and the own tokens of `batch` sequences, and with them the more of
    two moments: the last prefill, whose attention scores are written out in float32, or the first logits, when every
    sequence's cache is there twice, in its prefill's and in the batch's."""
    token, reserved = cache_bytes(shape, width), own + RESERVE
    scores = shape.heads * own * (shared + own) * (4 + 4 + width)
    states = own * width * (3 * shape.intermediate + 4 * shape.hidden)
    prefill = {
        "cache": int(token * (shared + batch * reserved)),
        "scores and states of a prefill": int(min(batch, PREFILL_PROMPTS) * (scores + states)),
    }
    writing = {"cache": int(token * (shared + 2 * batch * reserved)), "logits": 3 * 4 * batch * shape.vocabulary}
    fuller = max((prefill, writing), key=lambda parts: sum(parts.values()))
    return Memory(
        {"weights": width * parameters(shape), **fuller, "process": PROCESS},
        "lower generation.batch_size or rationales.history_items, or let vLLM write (generation.engine)",
    )


def _encoder_layer(shape: ShapeSettings, width: int, length: int, *, carded: bool) -> float:
    """Bytes that one token leaves in each layer of an encoder for the backward pass.

    Two inputs of norms in float32; queries, keys, values, their mixture and two inputs of linear layers; the
    feed-forward layer before and after its activation; two dropout masks, which torch keeps as booleans on a card and
    scaled on the CPU. On the CPU the attention's weights, their mask and what it leaves of them; a card's fused kernel
    writes none of that out and keeps a row of the mask.
    """
    scores = width * length * (1 if carded else 3 * shape.heads)
    masks = 2 * (1 if carded else 4) * shape.hidden
    return 8 * shape.hidden + width * (6 * shape.hidden + 2 * shape.intermediate) + masks + scores


def encoders_training_memory(
    shape: ShapeSettings, settings: ThoughtSpaceSettings, width: int, rationale: int, behaviour: int, *, carded: bool
) -> Memory:
    """E1 and E2 in float32 with gradients and AdamW's two moments, the best epoch's weights twice while they change
    hands, bfloat16 copies under autocast, and one batch of both texts padded to their longest. Of several processes
    each holds all of this but for its rows of the batch, and the gradients twice more as the message they send."""
    weights = 2 * parameters(shape)
    lengths = {length: _encoder_layer(shape, width, length, carded=carded) for length in (rationale, behaviour)}
    kept = sum(
        length * (shape.layers * lengths[length] + 8 * shape.hidden)  # the embeddings' norm
        for length in (rationale, behaviour)
    )
    backward = max(length * each for length, each in lengths.items())  # the gradients of one layer's
    return Memory(
        {
            "weights, gradients, AdamW": 16 * weights,
            "best epoch": 8 * weights,
            "bfloat16 copies": 2 * weights if width == 2 else 0,
            "activations": int(math.ceil(settings.batch_size / settings.processes) * (kept + backward)),
            "gradients as a message": 8 * weights if settings.processes > 1 else 0,
            "process": PROCESS,
        },
        "lower thought_space.max_tokens or thought_space.batch_size",
    )


def encoding_memory(shape: ShapeSettings, width: int, batch: int, length: int, *, carded: bool) -> Memory:
    """Two frozen encoders in float32, and a batch's states in a layer of one: in its feed-forward half or, on the CPU,
    which writes out the attention's weights, in the other where texts are long."""
    weights = 0 if carded else width * shape.heads * length
    feed_forward = 12 * shape.hidden + 2 * width * shape.intermediate + weights
    attention = (4 + 5 * width) * shape.hidden + 2 * weights
    return Memory(
        {
            "weights": 4 * 2 * parameters(shape),
            "states": batch * length * max(feed_forward, attention),
            "process": PROCESS,
        },
        "lower selection.batch_size, or thought_space.max_tokens",
    )


def ranker_memory(
    shape: ShapeSettings,
    settings: RankerSettings,
    width: int,
    *,
    adapted: int,
    length: int,
    predicted: int,
    carded: bool,
    training: bool,
) -> Memory:
    """The ranker at work on `settings.batch_users` packed questions.

    Args:
        shape: the language model.
        settings: what the ranker is loaded with.
        width: bytes a number of its arithmetic, and of its weights but for those in four bits.
        adapted: layers with adapters; 0 for the untrained model.
        length: tokens of a packed question.
        predicted: candidate tokens of a question that the likelihood head looks up in the vocabulary; 0 for `scalar`.
        carded: on a card, where dropout masks are booleans; on the CPU torch keeps them scaled.
        training: with gradients, optimiser and activations kept.
    """
    users, four_bit = settings.batch_users, settings.load_in_4bit
    tokens, matrices = users * length, shape.layers * layer_parameters(shape)
    adapters = lora_parameters(shape, settings.lora_r, adapted)
    mask_width = (1 if carded else 4) if training and settings.lora_dropout else 0
    layer = int(tokens * _ranker_layer(shape, width, length, mask_width, eager=settings.attention == "eager"))
    largest = max(into * out for into, out in linear_layers(shape))
    parts = {
        "weights": int((FOUR_BIT if four_bit else width) * matrices + width * embedding_parameters(shape)),
        "one weight matrix in full precision": width * largest if four_bit else 0,
        "one layer's states": layer,  # forward, or their gradients backward
        # Logits, their float32 copy and, backwards, the softmax and both gradients.
        "logits of the vocabulary": users * predicted * shape.vocabulary * (width + 4 + (8 + width if training else 0)),
        "process": PROCESS,
    }
    if not training:
        advice = "lower ranker.max_tokens or ranker.batch_users, or name a smaller models.slm"
        return Memory({**parts, "adapters": 4 * adapters}, advice)
    inputs = tokens * adapted * width * shape.hidden
    # Weight, gradient and two moments in float32, the best weights and the epoch's.
    parts |= {
        "adapters, gradients, AdamW": 24 * adapters,
        "activations": inputs + layer if settings.gradient_checkpointing else adapted * layer,
    }
    switches = [
        f"ranker.{name}: true" for name in ("gradient_checkpointing", "load_in_4bit") if not getattr(settings, name)
    ]
    advice = "lower ranker.max_tokens, ranker.title_chars or ranker.batch_users"
    return Memory(parts, f"{advice}, or set {' and '.join(switches)}" if switches else advice)


def _ranker_layer(shape: ShapeSettings, width: int, length: int, mask_width: int, *, eager: bool) -> float:
    """Bytes that one token leaves in each adapted layer for the backward pass; the frozen weights leave nothing.

    Two inputs of norms in float32; the input of every adapter and its dropout mask; queries, keys and values (repeated
    to all heads) and their mixture; gate before and after its activation and the up projection; a row of the mask.
    `eager` attention keeps its weights too: in float32 and, where that is another, in the arithmetic's precision.
    """
    inputs = sum(into for into, _ in linear_layers(shape))
    attention = 4 * shape.heads * shape.head_dim
    weights = shape.heads * length * (4 if width == 4 else 4 + width) if eager else 0
    states = width * (inputs + attention + 3 * shape.intermediate + length)
    return 8 * shape.hidden + mask_width * inputs + weights + states
