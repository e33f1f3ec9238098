"""One domain's predictions, what they are measured on, and the warnings shown beside every figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.predictions import aligned_ranks
from pulse_core.systems import BY_NAME

SYNTHETIC = (
    "SYNTHETIC CORPUS: reviews written by the generator, with planted reasons. "
    "These figures say nothing about Amazon's customers."
)
ORACLE = "ORACLE: selection saw the target (behaviour: oracle). These figures may not stand beside others."
FAKE = "FAKE RATIONALES: no model wrote them (engine: fake). These figures test the workflow and nothing else."


@dataclass(frozen=True)
class DomainResults:
    """Inputs of one domain's figures."""

    domain: str
    predictions: Mapping[str, pd.DataFrame]  # system -> predictions in the common schema
    files: Mapping[str, str]  # system -> file of its predictions, for messages
    examples: pd.DataFrame  # (user, split, target, sampled, ...)
    candidates: pd.DataFrame  # (user, split, candidates, ...): the sets that every system ranks
    statistics: Mapping[str, Any]  # corpus/statistics.json
    behaviour: str = "history"
    engine: str = "transformers"  # what wrote the rationales
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # system -> metrics.json, if it has one

    @property
    def corpus(self) -> str:
        """`synthetic`, or the source of the raw files."""
        source = str(self.statistics["source"])
        return "synthetic" if "synthetic" in (self.statistics.get("corpus"), source) else source

    @property
    def notice(self) -> str:
        """The warnings that apply, in one line; empty if none does."""
        synthetic, fake = self.corpus == "synthetic", self.engine == "fake"
        conditions = {SYNTHETIC: synthetic, ORACLE: self.behaviour == "oracle", FAKE: fake}
        return " ".join(notice for notice, applies in conditions.items() if applies)

    @property
    def oracle(self) -> set[str]:
        """The systems that read rationales whose selection saw the target."""
        readers = {name for name in self.predictions if name in BY_NAME and BY_NAME[name].rationales}
        return readers if self.behaviour == "oracle" else set()

    @property
    def candidate_count(self) -> int:
        """The size of the candidate sets; `ranks` refuses sets of different sizes."""
        return len(self.candidates["candidates"].iloc[0])

    def ranks(self, systems: Iterable[str], split: str = "test", sampled: bool = True) -> dict[str, np.ndarray]:
        """System -> ranks of the targets of the sampled users (or all), shape (users,), in the order of user codes.

        Raises:
            InputError: no such user, a system's predictions are missing, or they are of other users or candidates.
        """
        examples = self.examples[self.examples["sampled"].astype(bool)] if sampled else self.examples
        if not (examples["split"] == split).any():
            raise InputError(
                f"{self.domain}: no sampled user has a {split} example; sample more users or relax the filter"
            )
        ranks = {}
        for name in systems:
            if name not in self.predictions:
                raise InputError(f"{self.domain}: predictions of {name!r} are missing; there are {[*self.predictions]}")
            file = self.files.get(name, name)
            ranks[name] = aligned_ranks(self.predictions[name], examples, self.candidates, split, file).to_numpy()
        return ranks
