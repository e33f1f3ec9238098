"""Stage 1 of A-LLMRec (section 4.1): an item's collaborative and text embeddings meet in codes of one width."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus


@dataclass(frozen=True)
class Views:
    """Both sides of n items, their codes, and what is made of the codes again."""

    item: Tensor  # (n, d) collaborative embeddings, frozen
    text: Tensor  # (n, w) text embeddings
    item_code: Tensor  # (n, c)
    text_code: Tensor  # (n, c)
    item_again: Tensor  # (n, d)
    text_again: Tensor  # (n, w)


class Aligner(nn.Module):
    """Two autoencoders, one of collaborative and one of text embeddings, with a sigmoid in the middle."""

    def __init__(self, dimension: int, width: int, code: int) -> None:
        super().__init__()
        self.item_encoder, self.item_decoder = nn.Linear(dimension, code), nn.Linear(code, dimension)
        self.text_encoder, self.text_decoder = nn.Linear(width, code), nn.Linear(code, width)

    def item_codes(self, items: Tensor) -> Tensor:
        """Collaborative embeddings (n, d) -> codes (n, c)."""
        return torch.sigmoid(self.item_encoder(items))

    def text_codes(self, texts: Tensor) -> Tensor:
        """Text embeddings (n, w) -> codes (n, c)."""
        return torch.sigmoid(self.text_encoder(texts))

    def forward(self, items: Tensor, texts: Tensor) -> Views:
        """Items (n, d) and their texts (n, w), through both autoencoders."""
        item_code, text_code = self.item_codes(items), self.text_codes(texts)
        return Views(items, texts, item_code, text_code, self.item_decoder(item_code), self.text_decoder(text_code))


def alignment_terms(states: Tensor, positive: Views, negative: Views) -> dict[str, Tensor]:
    """The four losses of stage 1 (Eqs. 1-4), each a mean over users; positives and negatives are matched alike.

    states (n, d): what precedes each user's positive item. The recommendation loss is the binary cross-entropy of
    state . decoded item, without which the codes could collapse into one point and match perfectly.
    """
    both = (positive, negative)
    own = (states * positive.item_again).sum(-1)
    other = (states * negative.item_again).sum(-1)
    return {
        "matching": torch.stack([mse_loss(each.item_code, each.text_code) for each in both]).mean(),
        "item": torch.stack([mse_loss(each.item_again, each.item) for each in both]).mean(),
        "text": torch.stack([mse_loss(each.text_again, each.text) for each in both]).mean(),
        "recommendation": (softplus(-own) + softplus(other)).mean(),
    }


def alignment_loss(terms: Mapping[str, Tensor], item_weight: float, text_weight: float) -> Tensor:
    """matching + alpha item + beta text + recommendation (Eq. 5)."""
    return terms["matching"] + item_weight * terms["item"] + text_weight * terms["text"] + terms["recommendation"]
