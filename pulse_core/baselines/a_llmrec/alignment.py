"""Stage 1 of A-LLMRec (section 4.1): each item's collaborative and text embeddings are encoded into a shared code."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus


@dataclass(frozen=True)
class Views:
    """Both embeddings of n items, their codes and reconstructions."""

    item: Tensor  # (n, d) collaborative embeddings, frozen
    text: Tensor  # (n, w) text embeddings
    item_code: Tensor  # (n, c)
    text_code: Tensor  # (n, c)
    item_decoded: Tensor  # (n, d)
    text_decoded: Tensor  # (n, w)


class Aligner(nn.Module):
    """Two autoencoders with sigmoid codes, one for collaborative and one for text embeddings."""

    def __init__(self, dimension: int, width: int, code: int) -> None:
        super().__init__()
        self.item_encoder, self.item_decoder = nn.Linear(dimension, code), nn.Linear(code, dimension)
        self.text_encoder, self.text_decoder = nn.Linear(width, code), nn.Linear(code, width)

    def forward(self, items: Tensor, texts: Tensor) -> Views:
        item_code, text_code = torch.sigmoid(self.item_encoder(items)), torch.sigmoid(self.text_encoder(texts))
        return Views(items, texts, item_code, text_code, self.item_decoder(item_code), self.text_decoder(text_code))


def alignment_terms(states: Tensor, positive: Views, negative: Views) -> dict[str, Tensor]:
    """The four losses of stage 1 (Eqs. 1-4), each a mean over users and over positives and negatives.

    states (n, d): user states before the positive item. The recommendation loss is the binary cross-entropy of the
    inner product of state and decoded item; without it the codes could match perfectly by collapsing into one point.
    """
    both = (positive, negative)
    positive_logit = (states * positive.item_decoded).sum(-1)
    negative_logit = (states * negative.item_decoded).sum(-1)
    return {
        "matching": torch.stack([mse_loss(views.item_code, views.text_code) for views in both]).mean(),
        "item": torch.stack([mse_loss(views.item_decoded, views.item) for views in both]).mean(),
        "text": torch.stack([mse_loss(views.text_decoded, views.text) for views in both]).mean(),
        "recommendation": (softplus(-positive_logit) + softplus(negative_logit)).mean(),
    }


def alignment_loss(terms: Mapping[str, Tensor], item_weight: float, text_weight: float) -> Tensor:
    """matching + alpha item + beta text + recommendation (Eq. 5)."""
    return terms["matching"] + item_weight * terms["item"] + text_weight * terms["text"] + terms["recommendation"]
