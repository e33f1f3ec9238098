"""The most that each stage holds in a card's memory at once, part by part (docs/planning.md has the arithmetic).

The activation formulas count what autograd keeps for the backward pass; tests/planning measures them on real layers.
Numbers are `width` bytes wide: 2 in bfloat16, 4 in float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pulse_core.planning.settings import ShapeSettings
from pulse_core.planning.shapes import (
    cache_bytes,
    embedding_parameters,
    layer_parameters,
    linear_layers,
    lora_parameters,
    parameters,
)

GIB = 2**30
# The process itself: CUDA's context and libraries on a card, Python and torch on the CPU (0.4 GiB there, measured).
PROCESS = int(0.75 * GIB)
# What vLLM prefills in one step on cards under 70 GB, and what its captured graphs take (its own documents).
VLLM_STEP_TOKENS = 8192
VLLM_GRAPHS = int(0.75 * GIB)
PREFILL_PROMPTS = 16  # of the transformers engine, which imports torch and so is not imported here
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
    shape: ShapeSettings, width: int, card: float, share: float, sequences: int, longest: int, mean_tokens: float
) -> Memory:
    """vLLM takes `share` of the card, and gives to the cache what weights and work leave; at least one sequence of
    `longest` tokens must find room there."""
    work = VLLM_STEP_TOKENS * width * (3 * shape.intermediate + 4 * shape.hidden)
    draws = 4 * 4 * sequences * shape.vocabulary  # float32 logits, their softmax, sorted, and its order
    parts = {
        "weights": width * parameters(shape),
        "one step's states": work,
        "logits": draws,
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


def transformers_memory(
    shape: ShapeSettings, width: int, batch: int, shared: float, own: float, new: float, prefilled: int
) -> Memory:
    """The embedded engine: the shared beginning once, `batch` sequences' own tokens twice while caches are joined, and
    the attention scores of `prefilled` prompts, which it writes out in float32."""
    token = cache_bytes(shape, width)
    scores = shape.heads * own * (shared + own) * (4 + 4 + width)
    states = own * width * (3 * shape.intermediate + 4 * shape.hidden)
    return Memory(
        {
            "weights": width * parameters(shape),
            "cache": int(token * (shared + batch * (2 * own + new))),
            "scores and states of a prefill": int(prefilled * (scores + states)),
            "logits": 3 * 4 * batch * shape.vocabulary,
            "process": PROCESS,
        },
        "lower generation.batch_size or rationales.history_items, or let vLLM write (generation.engine)",
    )


def encoder_activations(shape: ShapeSettings, width: int, length: int, mask_width: int, *, fused: bool = True) -> float:
    """Bytes that one token leaves in each layer of an encoder for the backward pass.

    Two inputs of norms in float32; queries, keys, values, their mixture and two inputs of linear layers; the
    feed-forward layer before and after its activation; two dropout masks. Without a fused kernel (attention dropout on
    a CPU) three tables of scores in float32, else a row of the mask.
    """
    scores = 3 * 4 * shape.heads * length if not fused else width * length
    states = width * (6 * shape.hidden + 2 * shape.intermediate)
    return 8 * shape.hidden + states + 2 * mask_width * shape.hidden + scores


def encoders_training_memory(
    shape: ShapeSettings,
    width: int,
    batch: int,
    rationale: int,
    behaviour: int,
    mask_width: int,
    *,
    fused: bool,
    processes: int = 1,
) -> Memory:
    """E1 and E2 in float32 with gradients and AdamW's two moments, the best epoch's weights twice while they change
    hands, bfloat16 copies under autocast, and one batch of both texts padded to their longest. Of several processes
    each holds all of this but for its rows of the batch, and the gradients twice more as the message they send."""
    weights = 2 * parameters(shape)
    kept = sum(
        shape.layers * length * encoder_activations(shape, width, length, mask_width, fused=fused)
        + length * 8 * shape.hidden
        for length in (rationale, behaviour)
    )
    return Memory(
        {
            "weights, gradients, AdamW": 16 * weights,
            "best epoch": 8 * weights,
            "bfloat16 copies": 2 * weights if width == 2 else 0,
            "activations": int(math.ceil(batch / processes) * kept),
            "gradients as a message": 8 * weights if processes > 1 else 0,
            "process": PROCESS,
        },
        "lower thought_space.max_tokens or thought_space.batch_size",
    )


def encoding_memory(shape: ShapeSettings, width: int, encoders: int, batch: int, length: int) -> Memory:
    """Frozen encoders in float32 and one layer's states of a batch."""
    states = batch * length * (4 * 6 * shape.hidden + 4 * 2 * shape.intermediate)
    return Memory(
        {"weights": 4 * encoders * parameters(shape), "states": states, "process": PROCESS},
        "lower selection.batch_size, or thought_space.max_tokens",
    )


def adapter_activations(
    shape: ShapeSettings, width: int, length: int, mask_width: int, dropout: float, *, eager: bool = False
) -> float:
    """Bytes that one token leaves in each adapted layer for the backward pass; the frozen weights leave nothing.

    Two inputs of norms in float32; the input of every adapter and its dropout mask; queries, keys and values (repeated
    to all heads) and their mixture; gate before and after its activation and the up projection; a row of the mask.
    `eager` attention keeps its weights too: in float32 and, where that is another, in the arithmetic's precision.
    """
    inputs = sum(into for into, _ in linear_layers(shape))
    masks = mask_width * inputs if dropout else 0
    attention = 4 * shape.heads * shape.head_dim
    weights = shape.heads * length * (4 if width == 4 else 4 + width) if eager else 0
    return 8 * shape.hidden + masks + weights + width * (inputs + attention + 3 * shape.intermediate + length)


def ranker_memory(
    shape: ShapeSettings,
    width: int,
    *,
    rank: int,
    dropout: float,
    adapted: int,
    users: int,
    length: int,
    predicted: int,
    mask_width: int,
    training: bool,
    checkpointing: bool = False,
    four_bit: bool = False,
    eager: bool = False,
) -> Memory:
    """The ranker at work on `users` packed questions of `length` tokens.

    Args:
        shape: the language model.
        width: bytes a number of its arithmetic, and of its weights unless `four_bit`.
        rank: of the adapters.
        dropout: in front of the adapters; without it no masks are kept.
        adapted: layers with adapters.
        users: questions in a forward pass.
        length: tokens of a packed question.
        predicted: candidate tokens of a question that the likelihood head looks up in the vocabulary; 0 for `scalar`.
        mask_width: bytes of a dropout mask's element: 1 on a card, 4 on the CPU.
        training: with gradients, optimiser and activations kept.
        checkpointing: keep each layer's input alone, and make the rest of one layer at a time anew.
        four_bit: linear layers in four bits.
        eager: attention without a fused kernel.
    """
    tokens = users * length
    matrices = shape.layers * layer_parameters(shape)
    held = FOUR_BIT * matrices if four_bit else width * matrices
    largest = max(into * out for into, out in linear_layers(shape))
    each = adapter_activations(shape, width, length, mask_width, dropout, eager=eager)
    adapters = lora_parameters(shape, rank, adapted)
    # One layer's states forward and their gradients backward.
    passing = tokens * width * (4 * shape.heads * shape.head_dim + 3 * shape.intermediate)
    parts = {
        "weights": int(held + width * embedding_parameters(shape)),
        "one weight matrix in full precision": width * largest if four_bit else 0,
        "one layer's states": passing,
        # Logits, their float32 copy and, backwards, the softmax and both gradients.
        "logits of the vocabulary": users * predicted * shape.vocabulary * (width + 4 + (8 + width if training else 0)),
        "process": PROCESS,
    }
    if training:
        kept = tokens * (adapted * width * shape.hidden + each if checkpointing else adapted * each)
        # Weight, gradient and two moments in float32, the best weights and the epoch's.
        parts |= {"adapters, gradients, AdamW": 24 * adapters, "activations": int(kept)}
    else:
        parts |= {"adapters": 4 * adapters}
    return Memory(parts, _ranker_advice(training, checkpointing, four_bit))


def _ranker_advice(training: bool, checkpointing: bool, four_bit: bool) -> str:
    if not training:
        return "lower ranker.max_tokens or ranker.batch_users, or name a smaller models.slm"
    switches = [
        *([] if checkpointing else ["ranker.gradient_checkpointing: true"]),
        *([] if four_bit else ["ranker.load_in_4bit: true"]),
    ]
    advice = "lower ranker.max_tokens, ranker.title_chars or ranker.batch_users"
    return f"{advice}, or set {' and '.join(switches)}" if switches else advice
