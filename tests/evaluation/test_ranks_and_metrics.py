"""Ranks and metrics against cases worked by hand, ties included."""

import numpy as np
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.metrics import chance_values, metric_values, target_ranks
from pulse_core.rank_metrics import hit_at_1, ndcg_at_10

CANDIDATES = np.array([[7, 3, 9, 5]])


@pytest.mark.parametrize(
    ("scores", "rank"),
    [
        ([0.1, 0.9, 0.2, 0.3], 1),  # target 3 alone on top
        ([0.9, 0.5, 0.2, 0.3], 2),
        ([0.9, 0.9, 0.2, 0.3], 2),  # tied with one: the worse of ranks 1 and 2
        ([0.5, 0.5, 0.5, 0.9], 4),  # tied with two behind a better one: the worst of ranks 2 to 4
        ([0.0, 0.0, 0.0, 0.0], 4),  # a constant model is last
        ([-np.inf, -np.inf, 0.0, 1.0], 4),
        ([1.0, np.inf, 2.0, 3.0], 1),
    ],
)
def test_rank_counts_ties_against_the_model(scores: list[float], rank: int) -> None:
    assert target_ranks(CANDIDATES, np.array([scores]), np.array([3])).tolist() == [rank]


def test_rank_equals_counting_one_by_one() -> None:
    generator = np.random.default_rng(0)
    candidates = np.stack([generator.permutation(50)[:10] for _ in range(200)])
    scores = generator.integers(0, 4, (200, 10)).astype(np.float32)  # many ties
    targets = candidates[np.arange(200), generator.integers(0, 10, 200)]
    plain = [
        1 + sum(s >= row_scores[list(row).index(target)] for c, s in zip(row, row_scores, strict=True) if c != target)
        for row, row_scores, target in zip(candidates, scores, targets, strict=True)
    ]
    assert target_ranks(candidates, scores, targets).tolist() == plain


def test_metrics_by_hand() -> None:
    values = metric_values(np.array([1, 2, 3, 10, 11]))
    assert values[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert values[:, 1] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 10, 1 / 11])
    assert values[:, 2] == pytest.approx([1, 0.6309297535714575, 0.5, 0.28906482631788788, 0])  # 1 / log2(1 + rank)
    assert hit_at_1(np.array([1, 2])).mean() == 0.5
    assert ndcg_at_10(np.array([3])) == pytest.approx([0.5])


def test_chance_of_ten() -> None:
    hits, mrr, ndcg = chance_values(10)
    assert hits == pytest.approx(0.1)
    assert mrr == pytest.approx(2.9289682539682538 / 10)  # the tenth harmonic number over ten
    assert ndcg == pytest.approx(sum(1 / np.log2(1 + rank) for rank in range(1, 11)) / 10)


@pytest.mark.parametrize(
    ("candidates", "scores", "targets", "message"),
    [
        ([[1, 2]], [[0.1, np.nan]], [1], "NaN"),
        ([[1, 2]], [[0.1, 0.2]], [3], "not among"),
        ([[1, 1]], [[0.1, 0.2]], [1], "twice"),
        ([[1, 2]], [[0.1, 0.2, 0.3]], [1], "do not fit"),
        ([[1, 2]], [[0.1, 0.2]], [1, 2], "do not fit"),
    ],
)
def test_invalid_inputs_are_refused(candidates: list, scores: list, targets: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        target_ranks(np.array(candidates), np.array(scores), np.array(targets))
