"""Prefix augmentation: each prefix of a training sequence is one sample, computed fast and exactly.

Cross-entropy: in a causal model, one pass over a sequence yields the states of all its prefixes. They share a dropout
mask, which leaves the expected gradient unchanged. Only a prefix longer than `max_length` needs its own pass.

Contrast: a batch draws prefixes from all sequences, because prefixes of one sequence would be near-identical negatives.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pulse_core.baselines.packed import packed_states
from pulse_core.sequence.batches import pad
from pulse_core.sequence.model import SASRec


class Prefixes:
    """All n prefixes of the training sequences, each with the code of its next item, `targets` (n,).

    `starts` and `lengths`, (n,): where each prefix's last `max_length` items are in `items`.
    """

    def __init__(self, sequences: Sequence[np.ndarray], max_length: int) -> None:
        windows, counted, after = [], [], []
        for sequence in sequences:
            for stop in range(min(len(sequence) - 1, max_length), len(sequence)) if len(sequence) > 1 else ():
                first = max(0, stop - max_length)
                windows.append(np.asarray(sequence[first:stop], dtype=np.int64))
                counted.append(stop if first == 0 else 1)
                after.append(np.asarray(sequence[stop - counted[-1] + 1 : stop + 1], dtype=np.int64))
        self.windows, self._counted = windows, np.array(counted)
        sizes = np.array([len(window) for window in windows])
        self.items = np.concatenate(windows)
        self.targets = np.concatenate(after)
        window = np.repeat(np.arange(len(windows)), self._counted)  # of each prefix
        self._firsts = np.cumsum(self._counted) - self._counted  # each window's first prefix
        within = np.arange(len(self.targets)) - np.repeat(self._firsts, self._counted)
        self.lengths = within + 1 + np.repeat(sizes - self._counted, self._counted)
        self.starts = (np.cumsum(sizes) - sizes)[window]

    def __len__(self) -> int:
        return len(self.targets)

    def padded(self, rows: np.ndarray) -> np.ndarray:
        """Prefixes as (rows, longest) of code + 1, zeros on the right."""
        return self._padded(self.items + 1, self.starts, rows)

    def ragged(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Prefixes' values of an array for the concatenated prefixes, as (rows, longest) with zeros on the right."""
        return self._padded(values, self.offsets, rows)

    def _padded(self, values: np.ndarray, starts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        columns = np.arange(self.lengths[rows].max())
        places = np.minimum(starts[rows, None] + columns, len(values) - 1)
        return np.where(columns < self.lengths[rows, None], values[places], 0)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Start of each prefix's items when prefixes are concatenated, and their total: (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def all_items(self) -> np.ndarray:
        """Item codes of the concatenated prefixes, (Σ lengths,)."""
        within = np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], self.lengths)
        return self.items[np.repeat(self.starts, self.lengths) + within]

    def items_of_windows(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Index every item of every prefix of these windows.

        Returns (m,) each: place in the concatenation, index into `windows`, the prefix's last position in the window,
        the item's position.
        """
        counted = self._counted[windows]
        prefixes = np.repeat(self._firsts[windows] - np.cumsum(counted) + counted, counted) + np.arange(counted.sum())
        lengths = self.lengths[prefixes]
        item = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        window = np.repeat(np.arange(len(windows)), counted)
        return (
            np.repeat(self.offsets[prefixes], lengths) + item,
            np.repeat(window, lengths),
            np.repeat(lengths - 1, lengths),
            item,
        )

    @cached_property
    def _by_target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        order = np.argsort(self.targets, kind="stable")
        sizes = np.bincount(self.targets)
        firsts = np.cumsum(sizes) - sizes
        return order, firsts[self.targets], sizes[self.targets], np.argsort(order) - firsts[self.targets]

    def same_target(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A uniform other prefix with the same target for each of `rows`; itself if there is none."""
        order, *by_prefix = self._by_target
        first, size, place = (values[rows] for values in by_prefix)
        others = np.maximum(size - 1, 1)
        step = 1 + (generator.random(len(rows)) * others).astype(np.int64)  # around the group, never back to itself
        return order[first + (place + np.minimum(step, others)) % size]

    def steps(self, batch_size: int, generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch's steps: (windows for the cross-entropy, prefixes for the contrast); both have each prefix once."""
        count = -(-len(self) // batch_size)
        shuffled = generator.permutation(len(self))
        of_windows = np.array_split(generator.permutation(len(self.windows)), count)
        for number, windows in enumerate(of_windows):
            yield windows, shuffled[number * batch_size : (number + 1) * batch_size]

    def cross_entropy(self, model: SASRec, windows: np.ndarray, batch_size: int) -> Tensor:
        """Cross-entropy over all items, summed over these windows' prefixes, times steps per epoch / prefixes.

        Every prefix thus has the same weight in any step, and the steps of an epoch average to the mean.
        """
        if not len(windows):
            return model.item_vectors().sum() * 0.0  # a zero with a gradient: such a step may have no contrast either
        pieces = [self.windows[window] for window in windows]
        ends, counted = np.array([len(piece) for piece in pieces]), self._counted[windows]
        row = np.repeat(np.arange(len(windows)), counted)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(counted) - counted, counted)  # index within the window
        states = packed_states(model, pad(pieces).numpy(), ends, (row, (ends - counted)[row] + nth))
        targets = self.targets[self._firsts[windows][row] + nth]
        loss = F.cross_entropy(states @ model.item_vectors().T, torch.from_numpy(targets), reduction="sum")
        return loss * (-(-len(self) // batch_size) / len(self))
