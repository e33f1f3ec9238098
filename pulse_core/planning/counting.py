"""Counts the tokens of prompts: exactly with the model's tokenizer, otherwise estimated from characters."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pulse_core.generation.requests import Request

Tokenise = Callable[[Request], list[int]]


def filler(characters: int) -> str:
    """Filler text of this length, in words of realistic length."""
    words = "of a red tin and an old cup to go in it "
    return (words * (characters // len(words) + 1))[: max(characters, 1)].strip()


def conversation(request: Request) -> str:
    """A prompt as characters, without any model's chat format."""
    return "\n".join([*(f"{turn.role}: {turn.content}" for turn in request.messages), request.answer_start])


@dataclass(frozen=True)
class PromptCounts:
    """Totals of a list of requests."""

    requests: int = 0
    texts: int = 0
    tokens: float = 0.0
    computed: float = 0.0  # prompt tokens that the engine's prefix cache does not hold
    shared: float = 0.0  # length of the prefix that all prompts have in common
    longest: float = 0.0


def count_prompts(
    requests: Sequence[Request], tokenise: Tokenise | None, characters_per_token: float, engine: str
) -> PromptCounts:
    """Count the prompts of one list.

    The prefix that all prompts share is computed once. vLLM's cache also holds what a prompt shares with the one before
    it (siblings of a tree).
    """
    if not requests:
        return PromptCounts()
    prompts = [(tokenise or conversation)(request) for request in requests]
    size = 1.0 if tokenise else characters_per_token
    shared = _common_prefix(prompts)
    cached = [shared] * (len(prompts) - 1)
    if engine == "vllm":
        cached = [_common_prefix(pair) for pair in itertools.pairwise(prompts)]
    lengths, texts = [len(prompt) for prompt in prompts], sum(request.samples for request in requests)
    computed = sum(lengths) - sum(cached)
    return PromptCounts(len(requests), texts, sum(lengths) / size, computed / size, shared / size, max(lengths) / size)


def _common_prefix(prompts: Sequence[Any]) -> int:
    low, high = min(prompts), max(prompts)  # the prefix of the extremes is the prefix of all
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
