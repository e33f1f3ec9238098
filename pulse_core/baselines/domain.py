"""What a baseline works on, training sequences and examples with their candidates, and what it must do."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from torch import Tensor

from pulse_core.checkpoints import Checkpoint, digest_of_arrays
from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.errors import InputError
from pulse_core.evaluation.tables import predictions_table
from pulse_core.keys import KEY, Key, keys
from pulse_core.settings import Settings


@dataclass(frozen=True)
class Examples:
    """The n examples of one split and their candidates, row by row."""

    split: str
    keys: list[Key]  # (user, split, position)
    histories: list[np.ndarray]  # item codes, oldest first
    targets: np.ndarray  # (n,) item codes
    candidates: np.ndarray  # (n, C) item codes

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def users(self) -> np.ndarray:
        """User codes, (n,)."""
        return np.array([key[0] for key in self.keys], dtype=np.int64)

    def places(self) -> np.ndarray:
        """Index of each target among its candidates, (n,)."""
        return (self.candidates == self.targets[:, None]).argmax(axis=1)


@dataclass(frozen=True)
class Domain:
    """A domain as baselines see it."""

    item_count: int
    sequences: list[np.ndarray]  # each user's items, oldest first, up to the training target
    train: Examples  # for models that learn to rank candidates
    validation: Examples
    test: Examples

    @cached_property
    def popularity(self) -> np.ndarray:
        """Training purchases of each item, (items,)."""
        return np.bincount(np.concatenate(self.sequences), minlength=self.item_count)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the contents, by which checkpoints recognise the data they were trained on."""
        digest = hashlib.sha256(str(self.item_count).encode())
        for part in (self.train, self.validation, self.test):
            digest.update(repr(part.keys).encode() + part.targets.tobytes() + part.candidates.tobytes())
        histories = (self.train.histories, self.validation.histories, self.test.histories)
        digest.update(digest_of_arrays(*histories, self.sequences).encode())
        return digest.hexdigest()


def make_domain(
    interactions: pd.DataFrame, examples: pd.DataFrame, candidates: pd.DataFrame, item_count: int, sampled: bool = False
) -> Domain:
    """Build the domain from the artifacts with these names.

    `sampled` keeps only the examples sampled for the language-model stages; training sequences still cover all users.
    Raises InputError if an example has no candidates, or a split no examples.
    """
    sequences = sequences_by_user(training_sequences(interactions, examples))
    chosen = examples[examples["sampled"].astype(bool)] if sampled else examples
    joined = chosen.merge(candidates, on=KEY, how="left", validate="one_to_one").sort_values(KEY, ignore_index=True)
    missing = joined[joined["candidates"].isna()]
    if len(missing):
        raise InputError(f"candidates: none for (user, split, position) {keys(missing)[0]}; rebuild candidates.parquet")
    parts = {}
    for split in ("train", "validation", "test"):
        rows = joined[joined["split"] == split]
        if rows.empty:
            raise InputError(f"examples: no {split} examples; raise split.sample_users.{split} or give a larger dump")
        histories = [np.asarray(history) for history in rows["history"]]
        offered = np.stack(rows["candidates"].tolist()).astype(np.int64)
        parts[split] = Examples(split, keys(rows), histories, rows["target"].to_numpy(np.int64), offered)
    return Domain(item_count, list(sequences.values()), **parts)


class Recommender(ABC):
    """One system with one trial's settings."""

    settings: Settings

    @abstractmethod
    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Train on its domain and return the record for metrics.json (without times, which differ between runs).

        With a checkpoint in the same directory, a killed fit resumes and a finished one returns immediately.
        """

    @abstractmethod
    def scores(self, examples: Examples) -> np.ndarray:
        """Scores of each example's candidates, higher is better: (n, C) float32."""

    def full_ranks(self, examples: Examples) -> np.ndarray | None:
        """1-based ranks of the targets in the whole catalogue, (n,); None if the system only ranks candidates."""
        return None

    def further_figures(self, examples: Examples) -> dict[str, float]:
        """More figures for metrics.json, for validation and test of the chosen trial."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """The weights to save, if any, without those of frozen pre-trained models."""
        return {}


def predictions(score: Callable[[Examples], np.ndarray], domain: Domain) -> pa.Table:
    """Scores of the validation and test examples' candidates, in the common schema of predictions."""
    rows = [
        pd.DataFrame(
            {
                "user": part.users,
                "split": part.split,
                "candidates": list(part.candidates.astype(np.int32)),
                "scores": list(score(part).astype(np.float32)),
            }
        )
        for part in (domain.validation, domain.test)
    ]
    return predictions_table(pd.concat(rows, ignore_index=True))
