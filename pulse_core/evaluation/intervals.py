"""Percentile bootstrap over users (Efron 1979).

Resampling n users with replacement and asking how often each distinct row of values was drawn is one multinomial
draw over the distinct rows. Ten ranks make ten distinct rows, so ten thousand resamples of fifty thousand users cost
milliseconds; and since the distinct rows come sorted, the result cannot depend on the order of the users.
"""

import numpy as np

from pulse_core.errors import InputError
from pulse_core.rank_metrics import Floats

CHUNK_CELLS = 4_000_000  # (resamples x distinct rows) held at once: 32 MB of counts


def bootstrap_means(values: np.ndarray, samples: int, seed: int) -> Floats:
    """Means of `values` over users in each of `samples` resamples of the users.

    Args:
        values: one row a user, shape (users, columns); columns are resampled together, so differences stay paired.
        samples: number of resamples.
        seed: of the draws.

    Returns:
        shape (samples, columns).

    Raises:
        InputError: no user, or a value that is not finite.
    """
    if values.ndim != 2 or len(values) == 0:
        raise InputError(f"a bootstrap needs values of shape (users, columns) with at least one user: {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("a bootstrap over values that are not finite has no meaning")
    distinct, counts = np.unique(values.astype(np.float64), axis=0, return_counts=True)
    users = int(counts.sum())
    generator = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    chunk = max(1, CHUNK_CELLS // len(distinct))
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        drawn = generator.multinomial(users, counts / users, size=size)  # (size, distinct)
        for column in range(values.shape[1]):
            # a plain sum, not a BLAS product: its last bits do not depend on the number of threads
            means[start : start + size, column] = (drawn * distinct[:, column]).sum(axis=1) / users
    return means


def percentile_interval(means: np.ndarray, confidence: float) -> tuple[Floats, Floats]:
    """Lower and upper ends of the central `confidence` share of resampled means, column by column: (columns,) twice."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail], axis=0)
    return low, high
