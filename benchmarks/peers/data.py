"""Sequences for both sides, split once, and the same interactions in RecBole's format.

Each user's sequence is first cut to its last MAX_LENGTH + 3 items, so that both sides have the same training targets:
RecBole would also make samples of earlier items, while our model reads only a user's last MAX_LENGTH inputs.
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
"""Items held out per user: the last is the test target, the one before it the validation target."""
PLACE = "PULSE_REAL_DATA"
DEFAULT_PLACE = Path(__file__).resolve().parents[3] / "shared" / "data"
COLUMNS = "user_id:token\titem_id:token\ttimestamp:float"


@dataclass(frozen=True)
class Peers:
    """One data set: per user an array of item codes, oldest first, held-out items included."""

    name: str
    sequences: list[np.ndarray]
    item_count: int

    def training(self) -> list[np.ndarray]:
        """Training sequences: all but the held-out items."""
        return [sequence[:-HELD_OUT] for sequence in self.sequences]

    def validation(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Histories and targets (users,): the second to last item, given all before it."""
        return self.training(), np.array([sequence[-2] for sequence in self.sequences])

    def test(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Histories and targets (users,): the last item, given all before it, the validation target included."""
        return [sequence[:-1] for sequence in self.sequences], np.array([sequence[-1] for sequence in self.sequences])

    def training_targets(self) -> int:
        """Number of items that one epoch predicts, on either side."""
        return sum(len(sequence) - HELD_OUT - 1 for sequence in self.sequences)


def place() -> Path:
    """The folder of real data: $PULSE_REAL_DATA, or the one that tests use. Raises InputError if it does not exist."""
    folder = Path(os.environ.get(PLACE, DEFAULT_PLACE))
    if not folder.is_dir():
        raise InputError(f"no real data at {folder}: set {PLACE} to a folder with sequences/beauty.txt and luxury/")
    return folder


def cut(name: str, sequences: Sequence[np.ndarray], item_count: int) -> Peers:
    """Drop users with fewer than two training items, who give no target; keep the last items of the others."""
    kept = [sequence[-(MAX_LENGTH + 1 + HELD_OUT) :] for sequence in sequences if len(sequence) >= 2 + HELD_OUT]
    return Peers(name, kept, item_count)


def beauty(folder: Path) -> Peers:
    """Amazon 2014 Beauty: per line a user and its items in order of time. Raises InputError if it does not exist."""
    path = folder / "sequences" / "beauty.txt"
    if not path.is_file():
        raise InputError(f"{path} is missing: set {PLACE} to a folder with sequences/beauty.txt")
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
    """Write RecBole's atomic file: one row per interaction, with codes of user and item, and the position as time.

    RecBole splits it itself (`LS: valid_and_test`); that its targets equal ours is checked after each training.
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
