"""The writing stages run with an engine that only counts: every prompt is the one that the stage itself would ask.

Tokens are exact with the model's own tokenizer, else estimated from characters.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pulse_core.generation.journal import Journal
from pulse_core.generation.requests import Completion, Request

Pieces = list[int] | str  # of a prompt: its tokens, or its characters where no tokenizer is
BLOCK = 16  # tokens that vLLM's prefix cache keeps together


@dataclass
class CountingGenerator:
    """`TextGenerator` that remembers what it was asked and answers with filler of the expected length."""

    answer_tokens: float
    characters_per_token: float
    asked: list[Request] = field(default_factory=list)
    identity: str = "plan"

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`."""
        self.asked += requests
        text = filler(round(self.answer_tokens * self.characters_per_token))
        tokens = round(self.answer_tokens)
        return [[Completion(text + ".", 0.0, tokens) for _ in range(request.samples)] for request in requests]


class ForgetfulJournal(Journal):
    """A journal that keeps nothing."""

    def read(self, name: str) -> None:
        """Nothing is ever finished."""

    def write(self, name: str, answers: Sequence[Sequence[Completion]]) -> None:
        """Nothing is kept."""


def filler(characters: int) -> str:
    """Words that say nothing, this long; short ones, so that a token is 3.3 characters as in prompts."""
    words = "of a red tin and an old cup to go in it "
    return (words * (characters // len(words) + 1))[: max(characters, 1)].strip()


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long texts are: `text` cuts one into pieces, `size` pieces a token."""

    text: Callable[[str], Pieces]
    size: float = 1.0
    exact: bool = True

    def tokens(self, text: str) -> float:
        """Tokens of a text."""
        return len(self.text(text)) / self.size


@dataclass(frozen=True, kw_only=True)
class PromptLengths(Lengths):
    """The same of whole requests."""

    request: Callable[[Request], Pieces]


def characters(per_token: float) -> PromptLengths:
    """Lengths by characters, for a model that is not here."""

    def request(asked: Request) -> str:
        return "\n".join([*(f"{turn.role}: {turn.content}" for turn in asked.messages), asked.answer_start])

    return PromptLengths(request=request, text=lambda text: text, size=per_token, exact=False)


@dataclass(frozen=True)
class PromptCost:
    """What a list of requests costs an engine."""

    requests: int
    texts: int
    tokens: float  # of all prompts
    computed: float  # of those, what no cache holds already
    longest: float
    shared: float  # tokens that all prompts begin with

    def scaled(self, share: float) -> "PromptCost":
        """Of `share` times as many requests like these."""
        return PromptCost(
            round(self.requests * share),
            round(self.texts * share),
            self.tokens * share,
            self.shared + (self.computed - self.shared) * share if self.requests else 0.0,
            self.longest,
            self.shared,
        )


def prompt_cost(requests: Sequence[Request], lengths: PromptLengths, engine: str) -> PromptCost:
    """Count the prompts of one list.

    The transformers engine computes once what all prompts begin with; vLLM's cache also holds what a prompt shares with
    the one before it (siblings of a tree), in whole blocks of tokens.
    """
    prompts = [lengths.request(request) for request in requests]
    if not prompts:
        return PromptCost(0, 0, 0.0, 0.0, 0.0, 0.0)
    sizes = np.array([len(prompt) for prompt in prompts]) / lengths.size
    shared = min(_common(prompts[0], prompt) for prompt in prompts) / lengths.size
    known = np.full(len(prompts), shared)
    if engine == "vllm":
        before = [_common(one, other) for one, other in itertools.pairwise(prompts)]
        known[1:] = np.array(before) / lengths.size // BLOCK * BLOCK
    known[0] = 0.0
    return PromptCost(
        len(requests),
        sum(request.samples for request in requests),
        float(sizes.sum()),
        float((sizes - known).sum()),
        float(sizes.max()),
        shared,
    )


def _common(one: Pieces, other: Pieces) -> int:
    """How many leading pieces two sequences share."""
    limit = min(len(one), len(other))
    return next((i for i in range(limit) if one[i] != other[i]), limit)
