"""Paired tests of two systems on the same users: McNemar's exact test and the paired bootstrap."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, binomtest

from pulse_core.errors import InputError
from pulse_core.evaluation.intervals import bootstrap_means, percentile_interval


@dataclass(frozen=True)
class Discordance:
    """Numbers of users on whom exactly one of two systems hit, and the p-value of their difference."""

    first_only: int
    second_only: int
    p_value: float


@dataclass(frozen=True)
class Difference:
    """A paired difference of means (first - second) with its interval and two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def mcnemar_exact(first: np.ndarray, second: np.ndarray) -> Discordance:
    """McNemar's exact two-sided test on hits, shape (users,), values 0 or 1.

    p = min(1, 2 P(X <= min(b, c))) with X ~ Binomial(b + c, 1/2) for discordant counts b and c; 1 if both are 0.
    """
    if first.shape != second.shape:
        raise InputError(f"a paired test needs the same users twice: {first.shape} and {second.shape}")
    a, b = first.astype(bool), second.astype(bool)
    first_only, second_only = int((a & ~b).sum()), int((~a & b).sum())
    total = first_only + second_only
    p_value = min(1.0, 2.0 * float(binom.cdf(min(first_only, second_only), total, 0.5))) if total else 1.0
    return Discordance(first_only, second_only, p_value)


def binomial_against(hits: np.ndarray, probability: float) -> float:
    """Two-sided exact binomial p-value of the number of hits against a fixed chance level."""
    return float(binomtest(int(hits.sum()), len(hits), probability).pvalue)


def paired_bootstrap(first: np.ndarray, second: np.ndarray, samples: int, confidence: float, seed: int) -> Difference:
    """Mean of first - second over users, its percentile interval, and the bootstrap's two-sided p-value.

    Args:
        first, second: values of the same users in the same order, shape (users,).

    The p-value is twice the smaller share of resamples on either side of zero, with one added to the count so that it
    is never 0 (Davison & Hinkley 1997, 4.2): at least 0.0002 with 10,000 resamples.
    """
    if first.shape != second.shape:
        raise InputError(f"a paired test needs the same users twice: {first.shape} and {second.shape}")
    # Rounded, so that a difference of zero does not become -1e-17.
    gaps = np.round(first.astype(np.float64) - second.astype(np.float64), 12)
    means = bootstrap_means(gaps[:, None], samples, seed)
    low, high = percentile_interval(means, confidence)
    means = np.round(means[:, 0], 12)
    at_most, at_least = int((means <= 0).sum()), int((means >= 0).sum())
    p_value = min(1.0, 2.0 * (min(at_most, at_least) + 1) / (samples + 1))
    return Difference(float(gaps.mean()), float(low[0]), float(high[0]), p_value)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment of p-values for multiple comparisons (Holm 1979)."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda key: (p_values[key], key))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return adjusted
