"""Retrieved positives (EC4SRec): for each history, another one with the same target and shared important items.

Among the histories with p's target, q is drawn from the softmax over q of exp(importance in p of the shared items)
times the shared items' share of the longer history.
"""

import numpy as np
from scipy import sparse
from scipy.special import softmax

from pulse_core.baselines.prefixes import Prefixes

CHOICES = 128
"""Maximum histories to draw from per target (a random subset above it), which bounds memory."""


class Retrieval:
    """The candidates of each prefix, `choices` (n, width), and their probabilities, `chances` (n, width)."""

    def __init__(
        self, prefixes: Prefixes, importance: np.ndarray, item_count: int, generator: np.random.Generator
    ) -> None:
        """importance: (Σ lengths,), prefix after prefix. A prefix with a unique target is its own positive."""
        count = len(prefixes)
        shape = (count, item_count)
        columns = prefixes.all_items()
        weights = sparse.csr_matrix((importance.astype(np.float64), columns, prefixes.offsets), shape=shape)
        contains = sparse.csr_matrix((np.ones(len(columns)), columns, prefixes.offsets), shape=shape)
        contains.sum_duplicates()
        contains.data[:] = 1.0
        sizes = np.diff(contains.indptr)
        order = np.argsort(prefixes.targets, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(prefixes.targets[order])) + 1)
        width = min(max(len(group) for group in groups), CHOICES)
        self.choices = np.repeat(np.arange(count, dtype=np.int32)[:, None], width, axis=1)
        self.chances = np.zeros((count, width), dtype=np.float32)
        for group in groups:
            offered = group if len(group) <= width else generator.choice(group, width, replace=False)
            weight = np.exp((weights[group] @ contains[offered].T).toarray())
            overlap = (contains[group] @ contains[offered].T).toarray() / np.maximum.outer(sizes[group], sizes[offered])
            chances = softmax_of_others(weight * overlap, group[:, None] == offered)
            self.choices[group, : len(offered)] = offered
            self.chances[group, : len(offered)] = chances

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """One positive per prefix, (n,)."""
        drawn = generator.random((len(self.choices), 1))
        reached = np.cumsum(self.chances, axis=1) > drawn
        last = self.chances.shape[1] - 1 - (self.chances[:, ::-1] > 0).argmax(axis=1)  # if sums round below the draw
        place = np.where(reached.any(axis=1), reached.argmax(axis=1), last)
        return self.choices[np.arange(len(place)), place].astype(np.int64)


def softmax_of_others(utility: np.ndarray, itself: np.ndarray) -> np.ndarray:
    """Softmax of each row excluding itself, both (p, q); a row with no other entry selects itself."""
    allowed = ~itself | itself.all(axis=1, keepdims=True)
    return softmax(np.where(allowed, utility, -np.inf), axis=1)
