"""The ranker as a tuned system: PULSE with the selected rationales, SLM + SFT with only history and candidates.

The trial `{}` is the configured ranker, whose HR@1 is in hr1.json; its predictions are reused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pulse_core.baselines.domain import Examples, Recommender
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet, score, train


class RankerTrial(Recommender):
    """A ranker trained for this trial. Its adapters are not saved; configuring `ranker` likewise reproduces them.

    `model`: directory of the prepared language model; `question_sets`: by split, in the order of the domain's examples.
    """

    def __init__(
        self, model: Path, settings: RankerSettings, question_sets: Mapping[str, QuestionSet], seed: int
    ) -> None:
        self.settings, self.question_sets, self.seed = settings, question_sets, seed
        self.ranker = Ranker(model, settings, seed)

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        sets = self.question_sets
        return train(self.ranker, sets["train"], sets["validation"], self.seed, checkpoint)

    def scores(self, examples: Examples) -> np.ndarray:
        question_set = self.question_sets[examples.split]
        if list(question_set.targets) != examples.places().tolist():
            raise ValueError(f"the ranker's {examples.split} questions do not match these examples or their order")
        return score(self.ranker, question_set.questions, f"scoring {examples.split}")


class ConfiguredRanker(Recommender):
    """The ranker of the main pipeline, represented by its predictions and training record."""

    def __init__(
        self, settings: RankerSettings, predictions: pd.DataFrame, record: Mapping[str, Any], file: str
    ) -> None:
        self.settings, self.record, self.file = settings, record, file
        columns = (predictions["user"], predictions["split"], predictions["candidates"], predictions["scores"])
        self.rows = {(user, split): (ranked, scores) for user, split, ranked, scores in zip(*columns, strict=True)}

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {key: value for key, value in self.record.items() if key not in ("settings", "corpus")}

    def scores(self, examples: Examples) -> np.ndarray:
        rows = []
        for user, candidates in zip(examples.users.tolist(), examples.candidates, strict=True):
            ranked, scores = self.rows.get((user, examples.split), ((), ()))
            if not np.array_equal(ranked, candidates):
                raise InputError(f"{self.file}: wrong candidates for user {user} ({examples.split}); rebuild it")
            rows.append(scores)
        return np.stack(rows).astype(np.float32)
