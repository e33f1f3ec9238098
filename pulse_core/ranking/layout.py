"""Packed layout of ranking questions: the prefix once, followed by its ten candidates; batches of them.

A block mask lets each candidate attend to the prefix and itself only, and its positions start where the prefix ends.
So the results are those of ten sequences prefix + candidate (tests/ranking/test_packed.py), for one prefix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from pulse_core import processes
from pulse_core.ranking.questions import PackedQuestion


@dataclass(frozen=True)
class Batch:
    """A right-padded batch: B users, L tokens, C candidates per user, T candidate tokens in all."""

    tokens: torch.Tensor  # (B, L)
    positions: torch.Tensor  # (B, L)
    mask: torch.Tensor  # (B, 1, L, L) boolean, True where attention is allowed
    source: torch.Tensor  # (T, 2) (row, index) of the state that predicts each candidate token
    predicted: torch.Tensor  # (T,) the candidate tokens
    owner: torch.Tensor  # (T,) the candidate of each token, as user * C + candidate
    last: torch.Tensor  # (B * C, 2) (row, index) of each candidate's last token
    width: int  # C


def collate(questions: Sequence[PackedQuestion]) -> Batch:
    """Packed questions as one batch."""
    width = len(questions[0].candidates)
    tokens, positions, segments, source, owner, last = [], [], [], [], [], []
    for row, question in enumerate(questions):
        start = len(question.prefix)
        row_tokens, row_positions, row_segments = list(question.prefix), list(range(start)), [0] * start
        for number, candidate in enumerate(question.candidates):
            size, at = len(candidate), len(row_tokens)
            # The prefix's last state predicts the first token of every candidate.
            source += [(row, start - 1), *((row, at + i) for i in range(size - 1))]
            owner += [row * width + number] * size
            last.append((row, at + size - 1))
            row_tokens += candidate
            row_positions += range(start, start + size)
            row_segments += [number + 1] * size
        tokens.append(torch.tensor(row_tokens))
        positions.append(torch.tensor(row_positions))
        segments.append(torch.tensor(row_segments))
    padded = pad_sequence(tokens, batch_first=True)
    segment = pad_sequence(segments, batch_first=True, padding_value=-1)  # -1 padding, 0 prefix, 1.. candidates
    same = segment[:, :, None] == segment[:, None, :]
    to_prefix = (segment[:, None, :] == 0) & (segment[:, :, None] >= 0)
    causal = torch.ones(padded.shape[1], padded.shape[1], dtype=torch.bool).tril()
    return Batch(
        padded,
        pad_sequence(positions, batch_first=True),
        (causal & (same | to_prefix))[:, None],
        torch.tensor(source),
        torch.tensor([token for question in questions for candidate in question.candidates for token in candidate]),
        torch.tensor(owner),
        torch.tensor(last),
        width,
    )


def candidate_means(log_probabilities: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Means over each candidate's tokens, (T,) -> (B, C)."""
    device = log_probabilities.device
    owner, count = batch.owner.to(device), len(batch.last)
    total = torch.zeros(count, device=device).index_add(0, owner, log_probabilities)
    tokens = torch.zeros(count, device=device).index_add(0, owner, torch.ones_like(log_probabilities))
    return (total / tokens).view(-1, batch.width)


def length_batches(packed: Sequence[PackedQuestion], size: int) -> list[list[int]]:
    """Row numbers in batches of similar length, to keep padding small."""
    order = sorted(range(len(packed)), key=lambda row: (len(packed[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def shuffled_batches(packed: Sequence[PackedQuestion], size: int, generator: np.random.Generator) -> list[list[int]]:
    """Batches of one epoch: similar lengths, blurred so that epochs differ, in random order."""
    blur = [len(question) * generator.uniform(0.85, 1.15) for question in packed]
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
