"""Shared by the ranking scripts: building questions from tables, and predictions from scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pulse_core.evaluation.tables import predictions_table
from pulse_core.keys import KEY, keys
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import make_questions
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet, score
from workflow_scripts.shared.inputs import read_sampled, shop_of


@dataclass(frozen=True)
class Split:
    """The questions of a split and their examples, with candidates."""

    name: str
    examples: pd.DataFrame
    question_set: QuestionSet


def read_split(job: Any, name: str, settings: RankerSettings, rationales: str | None) -> Split:
    """A split's sampled examples as questions, with the rationales of the file `rationales`, if any."""
    examples = read_sampled(job.input.examples, name)
    examples = examples.merge(pd.read_parquet(job.input.candidates), on=KEY, how="left", validate="one_to_one")
    texts = None
    if rationales:
        selected = pd.read_parquet(rationales)
        texts = dict(zip(keys(selected), selected["rationale"], strict=True))
    questions = make_questions(examples, texts, shop_of(job), settings)
    rows = zip(examples["candidates"], examples["target"], strict=True)
    targets = [list(candidates).index(target) for candidates, target in rows]
    return Split(name, examples, QuestionSet(questions, targets))


def predict(ranker: Ranker, splits: Sequence[Split]) -> Any:
    """The ranker's predictions for these splits."""
    rows = []
    for split in splits:
        scores = score(ranker, split.question_set.questions, f"scoring {split.name}")
        rows.append(split.examples[["user", "split", "candidates"]].assign(scores=list(scores)))
    return predictions_table(pd.concat(rows, ignore_index=True))
