"""Importance of each item of a prefix for the model's prediction (EC4SRec).

Explained is the score of the item ranked first after the prefix, by the model in evaluation mode.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.prefixes import Prefixes
from pulse_core.sequence.batches import by_length, pad
from pulse_core.sequence.model import SASRec

TOKENS = 1 << 15  # positions per pass
SCORES = 20_000_000  # scores per block


def predicted(model: SASRec, states: Tensor) -> Tensor:
    """Code of the highest-scoring item for each state: (n, dim) -> (n,)."""
    vectors = model.item_vectors()
    block = max(1, SCORES // len(vectors))
    return torch.cat([(part @ vectors.T).argmax(dim=1) for part in states.split(block)])


@torch.inference_mode()
def occlusion(model: SASRec, prefixes: Prefixes) -> np.ndarray:
    """Drop in the score when the item's vector is zeroed, like padding: (Σ lengths,), prefix after prefix.

    A causal model needs one pass per item of a sequence rather than per prefix: the pass without item j yields the
    states of all prefixes that contain it.
    """
    model.eval()
    values = np.zeros(prefixes.offsets[-1], dtype=np.float32)
    longest = max(len(window) for window in prefixes.windows)
    for chosen in by_length(prefixes.windows, max(1, TOKENS // longest)):
        pieces = [prefixes.windows[window] for window in chosen]
        padded = pad(pieces)
        states = model(padded)  # (windows, length, dim)
        best = model.item_vectors()[predicted(model, states.flatten(0, 1))].view_as(states)
        whole = (states * best).sum(dim=2)
        size = max(1, TOKENS // padded.shape[1])
        drop = torch.zeros(len(pieces), padded.shape[1], padded.shape[1])  # window, zeroed item, last item
        for pair in (padded > 0).nonzero().split(size):
            row, column = pair.unbind(1)
            vectors = model.items(padded[row])
            vectors[torch.arange(len(row)), column] = 0.0
            drop[row, column] = whole[row] - (model.encode(vectors) * best[row]).sum(dim=2)
        places, window, last, item = prefixes.items_of_windows(chosen)
        values[places] = drop.numpy()[window, item, last]
    return values


def saliency(model: SASRec, prefixes: Prefixes) -> np.ndarray:
    """Summed absolute gradient of the score with respect to each item's vector: (Σ lengths,), prefix after prefix."""
    model.eval()
    values = np.zeros(prefixes.offsets[-1], dtype=np.float32)
    rows = np.argsort(prefixes.lengths, kind="stable")
    size = max(1, TOKENS // int(prefixes.lengths.max()))
    for chosen in np.split(rows, range(size, len(rows), size)):
        padded, lengths = torch.from_numpy(prefixes.padded(chosen)), prefixes.lengths[chosen]
        vectors = model.items(padded).detach().requires_grad_()
        last = model.encode(vectors)[torch.arange(len(chosen)), torch.from_numpy(lengths - 1)]
        with torch.no_grad():
            best = model.item_vectors()[predicted(model, last)]
        (gradient,) = torch.autograd.grad((last * best).sum(), vectors)
        row, column = np.nonzero(padded.numpy())
        values[prefixes.offsets[chosen][row] + column] = gradient.abs().sum(dim=2).numpy()[row, column]
    return values


def importance(model: SASRec, prefixes: Prefixes, method: Literal["occlusion", "saliency"]) -> np.ndarray:
    """Importance of each item of each prefix by this method, with norm 1 per prefix: (Σ lengths,)."""
    values = occlusion(model, prefixes) if method == "occlusion" else saliency(model, prefixes)
    norms = np.sqrt(np.add.reduceat(values**2, prefixes.offsets[:-1]))
    return values / np.maximum(np.repeat(norms, prefixes.lengths), 1e-12)
