"""The ranker under several settings: PULSE with the selected rationales, SLM + SFT with history and candidates alone.

The first trial of `{}` is the ranker as configured, which hr1.json tells of: its predictions are taken as they are.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from pulse_core.baselines.domain import Examples
from pulse_core.baselines.system import Recommender
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet, score, train


class RankerTrial(Recommender):
    """A ranker trained anew. Its adapters are not kept: `ranker: {...}` with the chosen values makes them again."""

    def __init__(self, model: Path, settings: RankerSettings, asked: Mapping[str, QuestionSet], seed: int) -> None:
        self.settings, self.asked, self.seed = settings, asked, seed
        self.ranker = Ranker(model, settings, seed)

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return asdict(train(self.ranker, self.asked["train"], self.asked["validation"], self.seed, checkpoint))

    def scores(self, examples: Examples) -> np.ndarray:
        if list(self.asked[examples.split].targets) != examples.places().tolist():
            raise ValueError(f"the ranker's {examples.split} questions are not these examples, or in another order")
        return score(self.ranker, self.asked[examples.split].questions, f"scoring {examples.split}")

    def tensors(self) -> dict[str, Tensor]:
        return {}


class Configured(Recommender):
    """The ranker that is there already, by its predictions and its training record."""

    def __init__(
        self, settings: RankerSettings, predictions: pd.DataFrame, record: Mapping[str, Any], file: str
    ) -> None:
        self.settings, self.record, self.file = settings, record, file
        columns = (predictions["user"], predictions["split"], predictions["candidates"], predictions["scores"])
        self.found = {(user, split): (each, scores) for user, split, each, scores in zip(*columns, strict=True)}

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {key: value for key, value in self.record.items() if key not in ("settings", "corpus")}

    def scores(self, examples: Examples) -> np.ndarray:
        rows = []
        for user, offered in zip(examples.users.tolist(), examples.candidates, strict=True):
            given, scores = self.found.get((user, examples.split), ((), ()))
            if not np.array_equal(given, offered):
                raise InputError(f"{self.file}: not of the candidates of user {user} ({examples.split}): make it again")
            rows.append(scores)
        return np.stack(rows).astype(np.float32)

    def tensors(self) -> dict[str, Tensor]:
        return {}
