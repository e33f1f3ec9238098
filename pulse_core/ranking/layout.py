"""Packed layout of a ranking question: the prefix once, followed by its ten candidates.

A block mask lets each candidate attend to the prefix and itself only, and its positions start where the prefix ends.
So the results are those of ten sequences prefix + candidate (tests/ranking/test_packed.py), for one prefix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pulse_core.ranking.packing import PackedQuestion


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
    length = max(len(q.prefix) + sum(map(len, q.candidates)) for q in questions)
    tokens = torch.zeros(len(questions), length, dtype=torch.long)
    positions = torch.zeros(len(questions), length, dtype=torch.long)
    segment = torch.full((len(questions), length), -1)  # -1 padding, 0 prefix, 1.. candidates
    source: list[tuple[int, int]] = []
    predicted: list[int] = []
    owner: list[int] = []
    last: list[tuple[int, int]] = []
    for row, question in enumerate(questions):
        end = len(question.prefix)
        tokens[row, :end] = torch.tensor(question.prefix)
        positions[row, :end] = torch.arange(end)
        segment[row, :end] = 0
        at = end
        for number, candidate in enumerate(question.candidates):
            size = len(candidate)
            tokens[row, at : at + size] = torch.tensor(candidate)
            positions[row, at : at + size] = end + torch.arange(size)
            segment[row, at : at + size] = number + 1
            # The prefix's last state predicts the first token of every candidate.
            source += [(row, end - 1)] + [(row, at + i) for i in range(size - 1)]
            predicted += candidate
            owner += [row * width + number] * size
            last.append((row, at + size - 1))
            at += size
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = segment[:, :, None] == segment[:, None, :]
    to_prefix = (segment[:, None, :] == 0) & (segment[:, :, None] >= 0)
    mask = causal & (same | to_prefix)
    return Batch(
        tokens,
        positions,
        mask[:, None],
        torch.tensor(source),
        torch.tensor(predicted),
        torch.tensor(owner),
        torch.tensor(last),
        width,
    )
