"""Percentile bootstrap over users (Efron 1979).

How often each distinct row of values occurs in a resample of n users is one multinomial draw over the distinct rows.
Ten ranks give ten distinct rows, so 10,000 resamples of 50,000 users take milliseconds. Distinct rows are sorted, so
the result does not depend on the order of the users.
"""

import numpy as np

from pulse_core.errors import InputError
from pulse_core.rank_metrics import Floats

CHUNK_CELLS = 4_000_000  # resamples x distinct rows per chunk: 32 MB of counts


def bootstrap_means(values: np.ndarray, samples: int, seed: int) -> Floats:
    """Means of `values` over the users of each of `samples` resamples.

    Args:
        values: one row per user, shape (users, columns); columns are resampled together, so differences stay paired.

    Returns:
        shape (samples, columns).

    Raises:
        InputError: no users, or a value that is not finite.
    """
    if values.ndim != 2 or len(values) == 0:
        raise InputError(f"a bootstrap needs values of shape (users, columns) with at least one user: {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("the values of a bootstrap should be finite")
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
