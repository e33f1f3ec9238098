"""Ranking questions: examples, candidates and rationales as texts, then as token ids. Planning counts tokens with it,
so it does not import torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.keys import Key, keys
from pulse_core.ranking.settings import RankerSettings
from pulse_core.texts import Shop


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

    def __len__(self) -> int:
        return len(self.prefix) + sum(map(len, self.candidates))


def make_questions(
    examples: pd.DataFrame, rationales: Mapping[Key, str] | None, shop: Shop, settings: RankerSettings
) -> list[Question]:
    """One question per example, which has its `candidates` in a column. Nothing marks the target.

    Raises:
        InputError: rationales are given but an example has none.
    """
    questions = []
    for key, history, candidates in zip(keys(examples), examples["history"], examples["candidates"], strict=True):
        if rationales is not None and key not in rationales:
            raise InputError(f"rationales: none selected for (user, split, position) {key}: make selected/ anew")
        questions.append(
            Question(
                tuple(shop.title(item, settings.title_chars) for item in list(history)[-settings.history_items :]),
                None if rationales is None else rationales[key],
                tuple(shop.distinct_titles(candidates, settings.title_chars)),
            )
        )
    return questions


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
