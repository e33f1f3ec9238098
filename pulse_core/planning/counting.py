"""What prompts cost an engine. Tokens are exact with the model's own tokenizer, else estimated from characters."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pulse_core.generation.requests import Request

Pieces = list[int] | str  # of a text: its tokens, or its characters where no tokenizer is
BLOCK = 16  # tokens that vLLM's prefix cache keeps together


def filler(characters: int) -> str:
    """Words that say nothing, this long; short ones, so that a token is 3.3 characters as in prompts."""
    words = "of a red tin and an old cup to go in it "
    return (words * (characters // len(words) + 1))[: max(characters, 1)].strip()


def conversation(request: Request) -> str:
    """A prompt in characters, without any model's chat format."""
    return "\n".join([*(f"{turn.role}: {turn.content}" for turn in request.messages), request.answer_start])


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long texts and prompts are: both are cut into pieces, `size` pieces a token. By characters as it stands."""

    size: float = 1.0
    text: Callable[[str], Pieces] = str
    prompt: Callable[[Request], Pieces] = conversation
    exact: bool = False

    def tokens(self, text: str) -> float:
        """Tokens of a text."""
        return len(self.text(text)) / self.size


@dataclass(frozen=True)
class PromptCost:
    """What a list of requests costs an engine."""

    requests: int
    texts: int
    tokens: float  # of all prompts
    shared: float  # tokens that all prompts begin with
    own: float  # tokens behind them, all prompts together, that no cache holds
    longest: float

    def scaled(self, share: float) -> "PromptCost":
        """Of `share` times as many requests like these."""
        return PromptCost(
            round(self.requests * share),
            round(self.texts * share),
            self.tokens * share,
            self.shared,
            self.own * share,
            self.longest,
        )

    def computed(self, chunk_prompts: int) -> float:
        """Tokens that are computed where each chunk of so many prompts computes anew what all begin with."""
        return self.own + self.shared * math.ceil(self.requests / chunk_prompts)


def prompt_cost(requests: Sequence[Request], lengths: Lengths, engine: str) -> PromptCost:
    """Count the prompts of one list.

    Both engines compute once in a chunk what all prompts begin with; vLLM's cache also holds what a prompt shares with
    the one before it (siblings of a tree), in whole blocks of tokens.
    """
    prompts = [lengths.prompt(request) for request in requests]
    if not prompts:
        return PromptCost(0, 0, 0.0, 0.0, 0.0, 0.0)
    block = BLOCK if engine == "vllm" else 1 / lengths.size
    sizes = np.array([len(prompt) for prompt in prompts]) / lengths.size
    shared = _common(prompts, lengths, block)
    known = np.full(len(prompts), shared)
    if engine == "vllm":
        known[1:] = [_common(pair, lengths, block) for pair in itertools.pairwise(prompts)]
    texts = sum(request.samples for request in requests)
    return PromptCost(
        len(requests), texts, float(sizes.sum()), shared, float((sizes - known).sum()), float(sizes.max())
    )


def _common(prompts: Sequence[Pieces], lengths: Lengths, block: float) -> float:
    """Tokens that prompts begin with in common, in whole blocks."""
    low, high = min(prompts), max(prompts)  # what these two share, all do
    pieces = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return pieces / lengths.size // block * block
