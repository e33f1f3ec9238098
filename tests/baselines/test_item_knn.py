"""Item-kNN by hand; its blocked, sparse computation equals the plain one."""

import numpy as np
import pytest
from scipy import sparse

from pulse_core.baselines import item_knn
from pulse_core.baselines.domain import Domain, Examples
from pulse_core.baselines.item_knn import ItemKNN, similarities
from pulse_core.baselines.settings.item_knn import ItemKNNSettings

BOUGHT = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]])


def test_similarities_by_hand() -> None:
    cosine = similarities(sparse.csr_matrix(BOUGHT.astype(float)), 4, 0.0).toarray()
    assert cosine[0, 1] == pytest.approx(1.0)  # bought by the same two users
    assert cosine[0, 2] == pytest.approx(1 / 2)  # of two buyers each, one is shared
    assert cosine[2, 3] == pytest.approx(1 / np.sqrt(2))
    assert cosine[0, 3] == 0 and not cosine.diagonal().any()
    np.testing.assert_allclose(cosine, cosine.T)
    shrunk = similarities(sparse.csr_matrix(BOUGHT.astype(float)), 4, 2.0).toarray()
    assert shrunk[0, 1] == pytest.approx(2 / 4)
    nearest = similarities(sparse.csr_matrix(BOUGHT.astype(float)), 1, 0.0).toarray()
    assert (np.count_nonzero(nearest, axis=1) <= 1).all() and nearest[0, 1] == pytest.approx(1.0)


def domain() -> Domain:
    examples = Examples(
        "test",
        [(0, "test", 2), (1, "test", 3)],
        [np.array([0, 2]), np.array([3])],
        np.array([1, 2]),
        np.array([[1, 3], [0, 2]]),
    )
    sequences = [np.flatnonzero(row) for row in BOUGHT] + [np.array([0, 0])]  # a repeat purchase counts once
    return Domain(4, sequences, examples, examples, examples)


def test_scores_are_sums_over_the_history_with_the_latest_weighted_most() -> None:
    model = ItemKNN(domain(), ItemKNNSettings(shrink=0.0, decay=0.5))
    plain = model.similar.toarray()
    expected = [0.5 * plain[0] + plain[2], plain[3]]
    np.testing.assert_allclose(model.all_scores(domain().test.histories), expected, rtol=1e-6)
    np.testing.assert_allclose(model.scores(domain().test), [expected[0][[1, 3]], expected[1][[0, 2]]], rtol=1e-6)
    assert model.full_ranks(domain().test).tolist() == [1, 1]


def test_blocked_computation_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ItemKNN(domain(), ItemKNNSettings())
    monkeypatch.setattr(item_knn, "BLOCK_CELLS", 4)  # one row at a time
    parts = ItemKNN(domain(), ItemKNNSettings())
    np.testing.assert_array_equal(whole.similar.toarray(), parts.similar.toarray())
    np.testing.assert_array_equal(whole.scores(domain().test), parts.scores(domain().test))
    np.testing.assert_array_equal(whole.full_ranks(domain().test), parts.full_ranks(domain().test))
