"""Item-kNN (Sarwar et al. 2001, item-based collaborative filtering): no training, two matrix products."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from pulse_core.baselines.domain import Domain, Examples, Recommender
from pulse_core.baselines.settings.item_knn import ItemKNNSettings
from pulse_core.checkpoints import Checkpoint
from pulse_core.sequence.states import ranks_of_targets

BLOCK_CELLS = 20_000_000  # similarities or scores per block


def similarities(users_items: sparse.csr_matrix, neighbours: int, shrink: float) -> sparse.csr_matrix:
    """Shrunk cosine between items' user columns, keeping each item's `neighbours` largest.

    Binary (users, items) -> (items, items) without the diagonal; row i weighs item i of a history for each candidate.
    """
    items = users_items.shape[1]
    norms = np.sqrt(np.asarray(users_items.sum(axis=0)).ravel())
    block = max(1, BLOCK_CELLS // items)
    parts = []
    for start in range(0, items, block):
        stop = min(start + block, items)
        common = (users_items[:, start:stop].T @ users_items).toarray()
        common[np.arange(stop - start), np.arange(start, stop)] = 0.0
        cosine = common / np.maximum(np.outer(norms[start:stop], norms) + shrink, 1e-12)
        if neighbours < items:
            smallest = np.argpartition(-cosine, neighbours, axis=1)[:, neighbours:]
            np.put_along_axis(cosine, smallest, 0.0, axis=1)
        parts.append(sparse.csr_matrix(cosine.astype(np.float32)))
    return sparse.vstack(parts, format="csr")


class ItemKNN(Recommender):
    """An item's score is the decayed sum of its similarities with the history's items."""

    settings: ItemKNNSettings

    def __init__(self, domain: Domain, settings: ItemKNNSettings) -> None:
        self.settings, self.item_count = settings, domain.item_count
        lengths = [len(sequence) for sequence in domain.sequences]
        rows, columns = np.repeat(np.arange(len(lengths)), lengths), np.concatenate(domain.sequences)
        counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(lengths), domain.item_count))
        counts.data[:] = 1.0  # repeat purchases count once
        self.similar = similarities(counts, settings.neighbours, settings.shrink)

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {}

    def all_scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """Scores of the whole catalogue, (n, items) float32."""
        lengths = [len(history) for history in histories]
        weights = [self.settings.decay ** np.arange(length - 1, -1, -1.0) for length in lengths]
        triplet = (np.concatenate(weights), (np.repeat(np.arange(len(lengths)), lengths), np.concatenate(histories)))
        weighted = sparse.csr_matrix(triplet, shape=(len(lengths), self.item_count), dtype=np.float32)
        return (weighted @ self.similar).toarray()

    def _blocks(self, examples: Examples) -> Iterator[tuple[slice, np.ndarray]]:
        size = max(1, BLOCK_CELLS // self.item_count)
        for start in range(0, len(examples), size):
            part = slice(start, start + size)
            yield part, self.all_scores(examples.histories[part])

    def scores(self, examples: Examples) -> np.ndarray:
        parts = [np.take_along_axis(scores, examples.candidates[part], 1) for part, scores in self._blocks(examples)]
        return np.concatenate(parts)

    def full_ranks(self, examples: Examples) -> np.ndarray:
        parts = [
            ranks_of_targets(scores, examples.histories[part], examples.targets[part])
            for part, scores in self._blocks(examples)
        ]
        return np.concatenate(parts)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "similarity": torch.from_numpy(self.similar.data),
            "columns": torch.from_numpy(self.similar.indices),
            "row_starts": torch.from_numpy(self.similar.indptr),
        }
