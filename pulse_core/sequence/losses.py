"""The two losses of the sequence model, as pure functions of states and item vectors."""

from torch import Tensor
from torch.nn import functional as F


def softmax_loss(states: Tensor, item_vectors: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(state . items)[target], mean over positions: all other items are negatives.

    states (positions, dim), item_vectors (items, dim), targets (positions,) item codes.
    """
    return F.cross_entropy(states @ item_vectors.T, targets)


def binary_loss(states: Tensor, item_vectors: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
    """-log s(state . target) - log(1 - s(state . negative)), mean over positions: Eq. 8 of the SASRec paper.

    states (positions, dim), item_vectors (items, dim), targets and negatives (positions,) item codes.
    """
    positive = (states * item_vectors[targets]).sum(-1)
    negative = (states * item_vectors[negatives]).sum(-1)
    return (F.softplus(-positive) + F.softplus(negative)).mean()
