"""The frozen layers' states of each question, computed once for all epochs and cached in a file.

They need not fit in memory; recent pages stay in the OS page cache while memory is free.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedRandom, FileIO
from pathlib import Path

import numpy as np
import torch

from pulse_core import processes
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.ranking.layout import Batch, collate, length_batches
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import Question, pack


class CachedTrunk:
    """The trunk's states of many questions, (L_i, d) each.

    Processes that train together each fill a part of one file and read all of it. The file is unlinked at once, so it
    disappears with the last process, however that ends. Without frozen layers nothing is cached, and states are
    recomputed for every batch.

    Args:
        directory: where to put the file; None: the temporary directory.

    Raises:
        InputError: the file system has no room for it.
    """

    def __init__(self, ranker: Ranker, questions: Sequence[Question], what: str, directory: Path | None) -> None:
        self.packed = [pack(question, ranker.tokenizer, ranker.settings.max_tokens) for question in questions]
        self._ranker = ranker
        self._dtype: torch.dtype = getattr(torch, ranker.dtype)
        self._width = ranker.linear.in_features
        # Offset of each question's states in the file, and the file's size.
        sizes = [len(question) * self._width * self._dtype.itemsize for question in self.packed]
        self._starts = np.cumsum([0, *sizes]).tolist()
        self._file: BufferedRandom | None = None
        if ranker.frozen_layers:
            self._file = _shared_file(directory)
            try:
                self._fill(self._file, what)
            except OSError as error:
                with suppress(OSError):  # closing reports the failed write once more
                    self._file.close()
                raise InputError(
                    f"the ranker caches the states of its frozen layers for {len(self.packed)} users, "
                    f"{self._starts[-1] / 1e9:.1f} GB, in {directory or tempfile.gettempdir()}: {error.strerror}. Make "
                    "room there, or set ranker.adapted_layers: null, which caches nothing"
                ) from error

    def close(self) -> None:
        """Free the file."""
        if self._file:
            self._file.close()

    def _fill(self, file: BufferedRandom, what: str) -> None:
        self._ranker.eval()
        batches = processes.share(length_batches(self.packed, self._ranker.settings.batch_users))
        with progress(what, sum(map(len, batches)), "users") as meter:
            for rows in batches:
                states = self._ranker.trunk(collate([self.packed[row] for row in rows])).to(self._dtype).cpu()
                for row, state in zip(rows, states, strict=True):
                    file.seek(self._starts[row])
                    file.write(_bytes(state[: len(self.packed[row])]))
                meter.advance(len(rows))
        file.flush()
        processes.meet()  # no process reads before all have written

    def batch(self, rows: Sequence[int]) -> tuple[Batch, torch.Tensor]:
        """These rows as a batch, and their states (B, L, d)."""
        batch = collate([self.packed[row] for row in rows])
        if self._file is None:
            return batch, self._ranker.trunk(batch)
        states = torch.zeros((*batch.tokens.shape, self._width), dtype=self._dtype)
        for state, row in zip(states, rows, strict=True):
            self._file.seek(self._starts[row])
            self._file.readinto(_bytes(state[: len(self.packed[row])]))
        return batch, states.to(self._ranker.scale.device)


def _bytes(states: torch.Tensor) -> memoryview:
    return states.view(torch.uint8).numpy().reshape(-1).data


def _shared_file(directory: Path | None) -> BufferedRandom:
    """An empty, unlinked file that every process has open."""
    name = ""
    if processes.rank() == 0:
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=directory, prefix="trunk.", suffix=".part")
        os.close(descriptor)
    name = processes.from_first(name)
    file = BufferedRandom(FileIO(name, "r+"))
    processes.meet()  # not unlinked before all have opened it
    if processes.rank() == 0:
        Path(name).unlink()
    return file
