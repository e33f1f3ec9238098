"""The sequences both sides learn from, split once, and the same interactions as RecBole reads them.

Every user's sequence is cut to its last MAX_LENGTH + 3 items before anything else, so that both sides have the very
same training targets: RecBole would make a sample of every earlier item too, where our model reads the last MAX_LENGTH
inputs of a user alone.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pulse_core.data.corpus import build_corpus
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError

MAX_LENGTH = 50
HELD_OUT = 2
"""The last item of a user is the test target, the one before it the validation target."""
PLACE = "PULSE_REAL_DATA"
DEFAULT_PLACE = Path(__file__).resolve().parents[3] / "shared" / "data"
COLUMNS = "user_id:token\titem_id:token\ttimestamp:float"


@dataclass(frozen=True)
class Peers:
    """One data set: sequences (one array of item codes a user, oldest first, held-out items included)."""

    name: str
    sequences: list[np.ndarray]
    item_count: int

    def training(self) -> list[np.ndarray]:
        """What may be learnt from: all but the held-out items."""
        return [sequence[:-HELD_OUT] for sequence in self.sequences]

    def validation(self) -> tuple[list[np.ndarray], np.ndarray]:
        """(histories, targets (users,)): the last item but one, after all before it."""
        return self.training(), np.array([sequence[-2] for sequence in self.sequences])

    def test(self) -> tuple[list[np.ndarray], np.ndarray]:
        """(histories, targets (users,)): the last item, after all before it, the validation target included."""
        return [sequence[:-1] for sequence in self.sequences], np.array([sequence[-1] for sequence in self.sequences])

    def training_targets(self) -> int:
        """Items that one epoch predicts, on either side."""
        return sum(len(sequence) - HELD_OUT - 1 for sequence in self.sequences)


def place() -> Path:
    """The folder of real data: $PULSE_REAL_DATA or the one the tests take. Raises InputError where it is absent."""
    found = Path(os.environ.get(PLACE, DEFAULT_PLACE))
    if not found.is_dir():
        raise InputError(f"no real data at {found}: set {PLACE} to a folder with sequences/beauty.txt and luxury/")
    return found


def cut(name: str, sequences: Sequence[np.ndarray], item_count: int) -> Peers:
    """Leave out users with nothing to learn from (fewer than two training items), keep the last items of the others."""
    kept = [sequence[-(MAX_LENGTH + 1 + HELD_OUT) :] for sequence in sequences if len(sequence) >= 2 + HELD_OUT]
    return Peers(name, kept, item_count)


def beauty(folder: Path) -> Peers:
    """Amazon 2014 Beauty: a line a user, its number and its items in order of time. Raises InputError if absent."""
    path = folder / "sequences" / "beauty.txt"
    if not path.is_file():
        raise InputError(f"{path} is missing: set {PLACE} to a folder that holds sequences/beauty.txt")
    lines = [np.array(line.split()[1:], dtype=np.int64) for line in path.read_text().splitlines() if line.strip()]
    ids, codes = np.unique(np.concatenate(lines), return_inverse=True)
    ends = np.cumsum([len(line) for line in lines])
    return cut("beauty", np.split(codes, ends[:-1]), len(ids))


def luxury(folder: Path) -> Peers:
    """Amazon 2018 Luxury Beauty through the pipeline's corpus stage (5-core). Raises InputError if absent."""
    raw = folder / "luxury"
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        build_corpus(raw / "reviews.jsonl.gz", raw / "metadata.jsonl.gz", CorpusSettings(), out, "amazon-2018")
        interactions = pd.read_parquet(out / "interactions.parquet", columns=["user", "item"])
        item_count = len(pd.read_parquet(out / "items.parquet", columns=["item_id"]))
    users, items = interactions["user"].to_numpy(), interactions["item"].to_numpy(np.int64)
    return cut("luxury", np.split(items, np.flatnonzero(np.diff(users)) + 1), item_count)


def write_atomic(peers: Peers, folder: Path) -> Path:
    """RecBole's atomic file: a row an interaction, user and item by code, the time its place in the sequence.

    RecBole then splits by itself (`LS: valid_and_test`); that its targets are ours is checked after every training.
    """
    lengths = [len(sequence) for sequence in peers.sequences]
    table = pd.DataFrame(
        {
            "user": np.repeat(np.arange(len(lengths)), lengths),
            "item": np.concatenate(peers.sequences),
            "time": np.concatenate([np.arange(length) for length in lengths]),
        }
    )
    path = folder / peers.name / f"{peers.name}.inter"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(COLUMNS + "\n" + table.to_csv(sep="\t", header=False, index=False))
    return path
