"""The prompt of stage 2 (section 4.2): text with slots for the user's and the items' embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pulse_core.errors import InputError
from pulse_core.ranking.questions import PackedQuestion
from pulse_core.texts import distinct_titles, shorten

USER = -1  # instead of an item code: the user's slot


@dataclass(frozen=True)
class SoftPrompt:
    """A prompt and its answers; `slots` are (index in the prefix, item code or USER)."""

    packed: PackedQuestion
    slots: tuple[tuple[int, int], ...]

    def answer(self, place: int) -> "SoftPrompt":
        """The same prompt with a single answer, as used in training."""
        return replace(self, packed=PackedQuestion(self.packed.prefix, [self.packed.candidates[place]]))


class PromptWriter:
    """Writes prompts: user, history, optional rationale, candidates; each title (by item code) with its slot."""

    def __init__(self, titles: Sequence[str], tokenizer: Any, title_chars: int, max_tokens: int) -> None:
        self._titles, self._tokenizer = titles, tokenizer
        self._title_chars, self._max_tokens = title_chars, max_tokens
        self._token_ids: dict[str, list[int]] = {}

    def _ids(self, text: str) -> list[int]:
        if text not in self._token_ids:
            self._token_ids[text] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._token_ids[text]

    def write(self, history: Sequence[int], candidates: Sequence[int], rationale: str | None) -> SoftPrompt:
        """One user's prompt. Candidates are item codes in the order shown; nothing marks the target.

        The position of the rationale is our choice; the PULSE paper only says that reasons are added to the prompt.
        Raises InputError if one purchase, the rationale and the candidates exceed `max_tokens`.
        """
        candidate_titles = distinct_titles([self._titles[item] for item in candidates], self._title_chars)
        history_titles = [shorten(self._titles[item], self._title_chars) for item in history]
        # The line break ends the title, so that a title that is a prefix of another has no advantage.
        answers = [self._ids(f" {title}\n") for title in candidate_titles]
        why = [] if rationale is None else [(f"\nWhy: {rationale}", None)]
        bought, offered = (
            [[("\n-", None), (f" {title}", item)] for item, title in zip(items, shown, strict=True)]
            for items, shown in ((history, history_titles), (candidates, candidate_titles))
        )
        longest = max(map(len, answers))
        for start in range(max(len(history), 1)):
            pieces: list[tuple[str, int | None]] = [
                ("", USER),
                (" stands for the user.\nBought, oldest first:", None),
                *chain.from_iterable(bought[start:]),
                *why,
                ("\nOne of these is bought next:", None),
                *chain.from_iterable(offered),
                ("\nThe recommendation is", None),
            ]
            prefix: list[int] = []
            slots: list[tuple[int, int]] = []
            for text, slot in pieces:
                prefix += self._ids(text)
                if slot is not None:
                    slots.append((len(prefix), slot))
                    prefix.append(0)
            if len(prefix) + longest <= self._max_tokens:
                return SoftPrompt(PackedQuestion(prefix, answers), tuple(slots))
        raise InputError(
            f"baselines.a_llmrec.max_tokens is {self._max_tokens}, but one purchase, the rationale and the "
            f"candidates take {len(prefix) + longest} tokens: raise it or lower title_chars"
        )
