"""Examples, candidates and rationales as questions to the ranker."""

from collections.abc import Mapping

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.keys import Key, keys
from pulse_core.ranking.packing import Question
from pulse_core.ranking.settings import RankerSettings
from pulse_core.texts import Shop


def make_questions(
    examples: pd.DataFrame,
    candidates: pd.DataFrame,
    rationales: Mapping[Key, str] | None,
    shop: Shop,
    settings: RankerSettings,
) -> list[Question]:
    """One question per example, in order. Nothing marks the target; see `target_places`.

    Raises:
        InputError: an example has no candidates, or no rationale where rationales are given.
    """
    drawn = dict(zip(keys(candidates), candidates["candidates"], strict=True))
    questions = []
    for key, history in zip(keys(examples), examples["history"], strict=True):
        if key not in drawn:
            raise InputError(f"candidates: none for (user, split, position) {key}: make candidates.parquet anew")
        if rationales is not None and key not in rationales:
            raise InputError(f"rationales: none selected for (user, split, position) {key}: make selected/ anew")
        questions.append(
            Question(
                tuple(shop.title(item, settings.title_chars) for item in list(history)[-settings.history_items :]),
                None if rationales is None else rationales[key],
                tuple(shop.distinct_titles(drawn[key], settings.title_chars)),
            )
        )
    return questions


def target_places(examples: pd.DataFrame, candidates: pd.DataFrame) -> list[int]:
    """Index of each example's target among its candidates."""
    drawn = dict(zip(keys(candidates), candidates["candidates"], strict=True))
    return [list(drawn[key]).index(target) for key, target in zip(keys(examples), examples["target"], strict=True)]
