"""Paired tests against cases worked by hand."""

import numpy as np
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import compare_hits
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import holm, mcnemar_exact, paired_bootstrap

SETTINGS = EvaluationSettings(bootstrap_samples=2_000)


def hits(text: str) -> np.ndarray:
    return np.array([float(character) for character in text])


def test_mcnemar_by_hand() -> None:
    p_value, first_only, second_only = mcnemar_exact(hits("1111100"), hits("1000010"))
    assert (first_only, second_only) == (4, 1)
    assert p_value == pytest.approx(2 * (1 + 5) / 32)  # P(X <= 1), X ~ Binomial(5, 1/2), twice


@pytest.mark.parametrize(
    ("first", "second", "p_value"), [("1100", "1100", 1.0), ("10", "01", 1.0), ("11111", "00000", 2 / 32)]
)
def test_mcnemar_edges(first: str, second: str, p_value: float) -> None:
    assert mcnemar_exact(hits(first), hits(second))[0] == pytest.approx(p_value)
    assert mcnemar_exact(hits(second), hits(first))[0] == pytest.approx(p_value)


def test_binomial_against_chance() -> None:
    for first, p_value in (("11", 0.01), ("1000000000", 1.0)):
        gap, _, _ = compare_hits(hits(first), 0.1, SETTINGS, seed=1)
        assert gap.p_value == pytest.approx(p_value) and gap.test == "exact binomial"


def test_paired_bootstrap_detects_a_small_steady_gain() -> None:
    base = np.random.default_rng(0).random(200)
    result = paired_bootstrap(base + 0.01, base, SETTINGS, seed=1)
    assert result.difference == pytest.approx(0.01)
    assert result.low == pytest.approx(0.01) and result.p_value == pytest.approx(2 / 2001)
    swapped = paired_bootstrap(base, base + 0.01, SETTINGS, seed=1)
    assert swapped.difference == pytest.approx(-0.01) and swapped.p_value == result.p_value


def test_paired_bootstrap_of_equal_values_has_p_value_1() -> None:
    base = np.random.default_rng(0).random(50)
    result = paired_bootstrap(base, base, SETTINGS, seed=1)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_different_users_are_refused() -> None:
    for test in (mcnemar_exact, lambda a, b: paired_bootstrap(a, b, SETTINGS, 0)):
        with pytest.raises(InputError, match="same users"):
            test(np.ones(3), np.ones(2))


def test_holm_by_hand() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert adjusted == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == pytest.approx({"b": 1.0, "a": 1.0})
