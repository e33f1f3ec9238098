"""Batches of packed questions, and each process's part of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from pulse_core import processes
from pulse_core.ranking.packing import PackedQuestion


def length(question: PackedQuestion) -> int:
    """Number of tokens, candidates included."""
    return len(question.prefix) + sum(map(len, question.candidates))


def length_batches(packed: Sequence[PackedQuestion], size: int) -> list[list[int]]:
    """Row numbers in batches of similar length, to keep padding small."""
    order = sorted(range(len(packed)), key=lambda row: (length(packed[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def shuffled_batches(packed: Sequence[PackedQuestion], size: int, generator: np.random.Generator) -> list[list[int]]:
    """Batches of one epoch: similar lengths, blurred so that epochs differ, in random order."""
    blur = [length(question) * generator.uniform(0.85, 1.15) for question in packed]
    order = np.argsort(blur, kind="stable").tolist()
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def process_share(window: Sequence[list[int]]) -> Iterator[tuple[int, list[int], float]]:
    """This process's part of one optimiser step: (batch number, rows of this process, their share of the batch).

    A batch's loss is the mean over its users, so each part is weighted by its share.
    """
    mine = processes.row_slice(sum(map(len, window)))
    before = 0  # users in earlier batches
    for number, rows in enumerate(window):
        part = rows[max(mine.start - before, 0) : max(mine.stop - before, 0)]
        if part:
            yield number, part, len(part) / len(rows)
        before += len(rows)
