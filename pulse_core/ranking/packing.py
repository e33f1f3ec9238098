"""A ranking question as token ids. Does not import torch: planning counts tokens with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulse_core.errors import InputError


@dataclass(frozen=True)
class Question:
    """Titles of history (oldest first) and candidates, and the rationale (None for the ranker without rationales)."""

    history: tuple[str, ...]
    rationale: str | None
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class PackedQuestion:
    """Token ids of the prefix and of each candidate."""

    prefix: list[int]
    candidates: list[list[int]]


def prefix_text(history: Sequence[str], rationale: str | None) -> str:
    """The text before a candidate; variants differ only in the rationale's line."""
    reason = "" if rationale is None else f"\nWhy: {rationale}"
    return "Bought, oldest first:\n" + "\n".join(f"- {title}" for title in history) + reason + "\nBought next:\n-"


def pack(question: Question, tokenizer: Any, max_tokens: int) -> PackedQuestion:
    """Tokenise a question; the oldest purchases are dropped until the prefix and the longest candidate fit.

    Raises:
        InputError: one purchase, the rationale and the longest candidate exceed `max_tokens`.
    """

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    # The line break ends the title: a title that is the start of another must not profit from that.
    candidates = [ids(f" {title}\n") for title in question.candidates]
    longest = max(len(tokens) for tokens in candidates)
    first = tokenizer("")["input_ids"]  # the start token, for models that expect one (Gemma, Llama 3)
    for start in range(max(len(question.history), 1)):
        prefix = first + ids(prefix_text(question.history[start:], question.rationale))
        if len(prefix) + longest <= max_tokens:
            return PackedQuestion(prefix, candidates)
    raise InputError(
        f"ranker.max_tokens is {max_tokens}, but one purchase, the rationale and the longest candidate take "
        f"{len(prefix) + longest} tokens: raise ranker.max_tokens or lower ranker.title_chars"
    )
