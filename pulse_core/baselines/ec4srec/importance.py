"""How much each item of a prefix matters to what the model predicts of it (EC4SRec).

What is explained is the score of the item that the model ranks first after the prefix. Both ways are of the model in
evaluation mode, and the values of a prefix are divided by their norm.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.prefixes import Prefixes
from pulse_core.sequence.batches import by_length, pad
from pulse_core.sequence.model import SASRec

TOKENS = 1 << 15  # positions in one pass
SCORES = 20_000_000  # scores held at a time


def predicted(model: SASRec, states: Tensor) -> Tensor:
    """The code of the item that scores highest for each state: (n, dim) -> (n,)."""
    vectors = model.item_vectors()
    block = max(1, SCORES // len(vectors))
    return torch.cat([(part @ vectors.T).argmax(dim=1) for part in states.split(block)])


@torch.inference_mode()
def occlusion(model: SASRec, prefixes: Prefixes) -> np.ndarray:
    """What the score loses when the item's vector is zero, as padding's is: (Σ lengths,), prefix after prefix.

    A causal model pays for one pass an item of a sequence, not of every prefix: the pass with item j left out has the
    states of all prefixes that hold it.
    """
    model.eval()
    found = np.zeros(prefixes.offsets[-1], dtype=np.float32)
    longest = max(len(window) for window in prefixes.windows)
    for chosen in by_length(prefixes.windows, max(1, TOKENS // longest)):
        pieces = [prefixes.windows[window] for window in chosen]
        padded = pad(pieces)
        states = model(padded)  # (windows, length, dim)
        best = model.item_vectors()[predicted(model, states.flatten(0, 1))].view_as(states)
        whole = (states * best).sum(dim=2)
        size = max(1, TOKENS // padded.shape[1])
        lost = torch.zeros(len(pieces), padded.shape[1], padded.shape[1])  # window, item left out, last item
        for pair in (padded > 0).nonzero().split(size):
            row, column = pair.unbind(1)
            vectors = model.items(padded[row])
            vectors[torch.arange(len(row)), column] = 0.0
            lost[row, column] = whole[row] - (model.encode(vectors) * best[row]).sum(dim=2)
        own, window, last, item = prefixes.items_of_windows(chosen)
        found[own] = lost.numpy()[window, item, last]
    return found


def saliency(model: SASRec, prefixes: Prefixes) -> np.ndarray:
    """The gradient of the score to the item's vector, its absolute values summed: (Σ lengths,), prefix after prefix."""
    model.eval()
    found = np.zeros(prefixes.offsets[-1], dtype=np.float32)
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
        found[prefixes.offsets[chosen][row] + column] = gradient.abs().sum(dim=2).numpy()[row, column]
    return found


METHODS: dict[str, Callable[[SASRec, Prefixes], np.ndarray]] = {"occlusion": occlusion, "saliency": saliency}


def importance(model: SASRec, prefixes: Prefixes, method: str) -> np.ndarray:
    """The importance of each item of each prefix by `occlusion` or `saliency`, of norm 1 in each: (Σ lengths,)."""
    found = METHODS[method](model, prefixes)
    norms = np.sqrt(np.add.reduceat(found**2, prefixes.offsets[:-1]))
    return found / np.maximum(np.repeat(norms, prefixes.lengths), 1e-12)
