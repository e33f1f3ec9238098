"""Percentile bootstrap over users (Efron 1979), and paired tests of two systems on the same users.

How often each distinct row of values occurs in a resample of n users is one multinomial draw over the distinct rows.
Ten ranks give ten distinct rows, so 10,000 resamples of 50,000 users take milliseconds. Distinct rows are sorted, so
the result does not depend on the order of the users.
"""

import numpy as np
from scipy.stats import binom

from pulse_core.errors import InputError
from pulse_core.evaluation.schema import Difference, Verdict
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.rank_metrics import Floats

CHUNK_CELLS = 4_000_000  # resamples x distinct rows per chunk: 32 MB of counts


def bootstrap_means(values: np.ndarray, samples: int, seed: int) -> Floats:
    """Means over the users of each resample of values, shape (users, columns); the result is (samples, columns).

    Columns are resampled together, so differences stay paired. Raises InputError for no users or values not finite.
    """
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        raise InputError(f"a bootstrap needs finite values (users, columns), at least one user: {values.shape}")
    distinct, counts = np.unique(values.astype(np.float64), axis=0, return_counts=True)
    users = int(counts.sum())
    generator = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    chunk = max(1, CHUNK_CELLS // len(distinct))
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        drawn = generator.multinomial(users, counts / users, size=size)  # (size, distinct)
        for column in range(values.shape[1]):
            # A plain sum, not a BLAS product, whose rounding depends on the number of threads.
            means[start : start + size, column] = (drawn * distinct[:, column]).sum(axis=1) / users
    return means


def percentile_interval(means: np.ndarray, confidence: float) -> tuple[Floats, Floats]:
    """Ends of the central `confidence` share of the resampled means of each column, shapes (columns,)."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail], axis=0)
    return low, high


def mcnemar_exact(first: np.ndarray, second: np.ndarray) -> tuple[float, int, int]:
    """McNemar's exact two-sided test on hits, shape (users,), values 0 or 1.

    Returns:
        p = min(1, 2 P(X <= min(b, c))) with X ~ Binomial(b + c, 1/2), and the numbers of users on whom only the first
        (b) and only the second (c) hit.
    """
    _check_same_users(first, second)
    b, c = int((first > second).sum()), int((first < second).sum())
    return min(1.0, 2.0 * float(binom.cdf(min(b, c), b + c, 0.5))), b, c


def paired_bootstrap(first: np.ndarray, second: np.ndarray, settings: EvaluationSettings, seed: int) -> Difference:
    """Mean of first - second over the same users in the same order, shape (users,), with interval and p-value.

    The p-value is twice the smaller share of resamples on either side of zero, with one added to the count so that it
    is never 0 (Davison & Hinkley 1997, 4.2): at least 0.0002 with 10,000 resamples.
    """
    _check_same_users(first, second)
    # Rounded, so that a difference of zero does not become -1e-17.
    gaps = np.round(first.astype(np.float64) - second.astype(np.float64), 12)
    means = bootstrap_means(gaps[:, None], settings.bootstrap_samples, seed)
    low, high = percentile_interval(means, settings.confidence)
    means = np.round(means[:, 0], 12)
    at_most, at_least = int((means <= 0).sum()), int((means >= 0).sum())
    p_value = min(1.0, 2.0 * (min(at_most, at_least) + 1) / (settings.bootstrap_samples + 1))
    difference = float(gaps.mean())
    return Difference(
        difference=difference,
        low=low[0],
        high=high[0],
        p_value=p_value,
        test="paired bootstrap",
        verdict=verdict_of(difference, p_value, settings.confidence),
    )


def _check_same_users(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise InputError(f"a paired test needs the same users twice: {first.shape} and {second.shape}")


def verdict_of(difference: float, p_value: float, confidence: float) -> Verdict:
    """Whether a difference is significant at this confidence, in words."""
    if p_value >= 1.0 - confidence or difference == 0.0:
        return "not distinguishable"
    return "better" if difference > 0 else "worse"


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment of p-values for multiple comparisons (Holm 1979)."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda key: (p_values[key], key))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return adjusted
