"""One user's ranking question as token ids. Imports no torch: planning packs questions to count their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulse_core.errors import InputError


@dataclass(frozen=True)
class Question:
    """What the ranker is asked: titles oldest first, the rationale (None for the ranker without reasons)."""

    history: tuple[str, ...]
    rationale: str | None
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class PackedQuestion:
    """Token ids: `prefix` (p,), and one list for each candidate."""

    prefix: list[int]
    candidates: list[list[int]]


def prefix_text(history: Sequence[str], rationale: str | None) -> str:
    """The prefix; every variant shares it but for the line of the rationale."""
    reason = "" if rationale is None else f"\nWhy: {rationale}"
    return "Bought, oldest first:\n" + "\n".join(f"- {title}" for title in history) + reason + "\nBought next:\n-"


def pack(question: Question, tokenizer: Any, max_tokens: int) -> PackedQuestion:
    """Tokenise a question; the oldest purchases are dropped until prefix plus longest candidate fit.

    Raises:
        InputError: not even one purchase, the rationale and the longest candidate fit into `max_tokens`.
    """

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    # The line break closes the title, so that a title that merely starts another one's does not gain from it.
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
