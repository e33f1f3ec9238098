"""Which questions share a pass through the model, and which process takes which."""

from collections.abc import Iterator, Sequence

import numpy as np

from pulse_core import processes
from pulse_core.ranking.packing import PackedQuestion


def length(question: PackedQuestion) -> int:
    """Tokens of a packed question, candidates included."""
    return len(question.prefix) + sum(map(len, question.candidates))


def length_batches(packed: Sequence[PackedQuestion], size: int) -> list[list[int]]:
    """Rows in batches of like length, so that little is padding."""
    order = sorted(range(len(packed)), key=lambda row: (length(packed[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def shuffled_batches(packed: Sequence[PackedQuestion], size: int, generator: np.random.Generator) -> list[list[int]]:
    """One epoch: rows of like length share a batch, lengths are blurred and batches shuffled, so epochs differ."""
    blur = [length(question) * generator.uniform(0.85, 1.15) for question in packed]
    order = np.argsort(blur, kind="stable").tolist()
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def own_share(window: Sequence[list[int]]) -> Iterator[tuple[int, list[int], float]]:
    """This process's users of one step: (number of the batch, its rows that are this process's, their share of it).

    A batch's loss is the mean over its users, so a part counts by its share. One process has every batch, whole.
    """
    mine = processes.own_slice(sum(map(len, window)))
    before = 0  # users in earlier batches
    for number, rows in enumerate(window):
        own = rows[max(mine.start - before, 0) : max(mine.stop - before, 0)]
        if own:
            yield number, own, len(own) / len(rows)
        before += len(rows)
