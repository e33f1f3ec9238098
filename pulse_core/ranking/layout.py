"""One user's ranking question as tokens: the prefix once, ten candidates packed behind it.

The plain layout would be ten sequences prefix + candidate. Packed, the prefix is computed once; a block mask lets a
candidate see the prefix and itself but no other candidate, and its positions start where the prefix ends, so the
numbers are those of the plain layout (tests/ranking/test_packed.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pulse_core.ranking.packing import PackedQuestion


@dataclass(frozen=True)
class Batch:
    """Packed questions side by side, right-padded. B users, L tokens, T candidate tokens in the whole batch."""

    tokens: torch.Tensor  # (B, L)
    positions: torch.Tensor  # (B, L)
    mask: torch.Tensor  # (B, 1, L, L) boolean, True where attention is allowed
    source: torch.Tensor  # (T, 2) row and index of the state that predicts each candidate token
    predicted: torch.Tensor  # (T,) the candidate token
    owner: torch.Tensor  # (T,) which candidate it belongs to, numbered through the batch: user * C + candidate
    last: torch.Tensor  # (B * C, 2) row and index of each candidate's last token
    width: int  # C, candidates a user


def collate(questions: Sequence[PackedQuestion]) -> Batch:
    """Lay packed questions side by side."""
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
