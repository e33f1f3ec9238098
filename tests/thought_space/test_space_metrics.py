import math

import numpy as np
import pytest

from pulse_core.thought_space.loss import NO_NEGATIVE
from pulse_core.thought_space.metrics import alignment, retrieval_ranks, space_metrics, uniformity

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def test_ranks_by_hand_with_ties_against_the_model():
    history = np.array([EAST, NORTH, EAST])
    rationale = np.array([EAST, WEST, EAST])
    others = np.array([[1, NO_NEGATIVE], [0, 2], [0, 1]])
    # Positive and negatives per row: 1 and 0 -> rank 1; 0, 0 and 0 -> 3; 1, 1 (a tie) and -1 -> 2.
    assert retrieval_ranks(history, rationale, others).tolist() == [1, 3, 2]
    figures = space_metrics(history, rationale, others)
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)
    assert figures["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 3) / 3)


def test_alignment_and_uniformity_by_hand():
    assert alignment(np.array([EAST, EAST]), np.array([EAST, NORTH])) == pytest.approx((0 + 2) / 2)
    assert uniformity(np.array([EAST, NORTH, WEST])) == pytest.approx(
        math.log((math.exp(-4) + math.exp(-8) + math.exp(-4)) / 3)
    )
    assert uniformity(np.array([EAST, EAST])) == pytest.approx(0.0)
