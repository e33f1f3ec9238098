"""The fast bootstrap against plain resampling."""

import numpy as np
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation import significance
from pulse_core.evaluation.metrics import metric_values
from pulse_core.evaluation.significance import bootstrap_means, percentile_interval


def test_fast_equals_plain_resampling_in_distribution() -> None:
    generator = np.random.default_rng(3)
    values = metric_values(generator.integers(1, 11, 120))
    fast = bootstrap_means(values, 20_000, seed=1)
    rows = generator.integers(0, 120, (20_000, 120))
    plain = values[rows].mean(axis=1)
    assert fast.mean(axis=0) == pytest.approx(plain.mean(axis=0), abs=2e-3)
    assert np.cov(fast.T) == pytest.approx(np.cov(plain.T), rel=0.06, abs=1e-6)  # columns stay paired
    for ours, theirs in zip(percentile_interval(fast, 0.95), percentile_interval(plain, 0.95), strict=True):
        assert ours == pytest.approx(theirs, abs=1 / 120 + 1e-9)  # hit rates move in steps of one user


def test_interval_covers_a_known_proportion() -> None:
    """HR@1 of 40 hits in 100: the normal interval is .4 -+ 1.96 * sqrt(.24 / 100)."""
    values = np.r_[np.ones(40), np.zeros(60)][:, None]
    low, high = percentile_interval(bootstrap_means(values, 20_000, seed=5), 0.95)
    assert low[0] == pytest.approx(0.4 - 1.96 * np.sqrt(0.0024), abs=0.015)
    assert high[0] == pytest.approx(0.4 + 1.96 * np.sqrt(0.0024), abs=0.015)


def test_seeded_and_independent_of_order_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((30, 2))
    first = bootstrap_means(values, 500, seed=9)
    assert np.array_equal(first, bootstrap_means(values[::-1], 500, seed=9))
    assert not np.array_equal(first, bootstrap_means(values, 500, seed=10))
    monkeypatch.setattr(significance, "CHUNK_CELLS", 90)
    assert np.array_equal(first, bootstrap_means(values, 500, seed=9))


def test_identical_users_give_an_interval_of_zero_width() -> None:
    low, high = percentile_interval(bootstrap_means(np.ones((5, 1)), 100, seed=0), 0.95)
    assert low[0] == high[0] == 1.0


@pytest.mark.parametrize("values", [np.empty((0, 1)), np.array([[np.nan]]), np.array([1.0])])
def test_invalid_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="bootstrap"):
        bootstrap_means(values, 100, seed=0)
