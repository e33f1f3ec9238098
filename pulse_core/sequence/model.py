"""SASRec: self-attentive sequential recommendation (Kang & McAuley 2018), in its pre-norm form, and its losses.

`post_norm` gives BERT's form: layer norm after each residual sum, GELU, a feed-forward layer four times as wide,
weights from N(0, 0.02). DuoRec, EC4SRec and MoRec build on it.

Items are codes 0..item_count-1 outside this module. Inside, code + 1 is embedded and 0 is padding. Sequences are
padded on the right: under the causal mask no real position attends to padding, so attention needs no second mask.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pulse_core.sequence.settings import BackboneSettings


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)); with `post_norm`, each norm is of the sum instead."""

    def __init__(self, dimension: int, heads: int, dropout: float, post_norm: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout, self.post_norm = heads, dropout, post_norm
        self.attention_norm = nn.LayerNorm(dimension, eps=1e-8)
        self.queries_keys_values = nn.Linear(dimension, 3 * dimension)
        self.output = nn.Linear(dimension, dimension)
        self.feed_forward_norm = nn.LayerNorm(dimension, eps=1e-8)
        width = 4 * dimension if post_norm else dimension
        between = [nn.GELU()] if post_norm else [nn.Dropout(dropout), nn.ReLU()]
        self.feed_forward = nn.Sequential(
            nn.Linear(dimension, width), *between, nn.Linear(width, dimension), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:  # (batch, length, dim) -> the same
        if self.post_norm:
            x = self.attention_norm(x + F.dropout(self.attention(x), self.dropout, self.training))
            return self.feed_forward_norm(x + self.feed_forward(x))
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))

    def attention(self, x: Tensor) -> Tensor:
        """Causal multi-head self-attention: (batch, length, dim) -> the same."""
        batch, length, dimension = x.shape
        mixed = self.queries_keys_values(x)
        mixed = mixed.view(batch, length, 3, self.heads, dimension // self.heads).permute(2, 0, 3, 1, 4)
        queries, keys, values = mixed.unbind(0)  # each (batch, heads, length, dim / heads)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=True)
        return self.output(attended.transpose(1, 2).reshape(batch, length, dimension))


class SASRec(nn.Module):
    """States of histories and, by inner product with the item embeddings, scores of next items."""

    def __init__(self, item_count: int, shape: BackboneSettings, post_norm: bool = False) -> None:
        super().__init__()
        self.item_count, self.max_length, self.post_norm = item_count, shape.max_length, post_norm
        dimension, dropout = shape.dimension, shape.dropout
        self.items = nn.Embedding(item_count + 1, dimension, padding_idx=0)
        self.positions = nn.Embedding(shape.max_length, dimension)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dimension, shape.heads, dropout, post_norm) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(dimension, eps=1e-8)
        for parameter in self.parameters():
            if parameter.dim() > 1 and post_norm:
                nn.init.normal_(parameter, std=0.02)
            elif parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        for module in self.modules():
            if post_norm and isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.items.weight[0].zero_()  # both initialisations also fill the padding row

    def forward(self, padded: Tensor) -> Tensor:
        """States after every position: (batch, length) codes + 1, zeros on the right -> (batch, length, dim)."""
        return self.encode(self.items(padded))

    def encode(self, vectors: Tensor) -> Tensor:
        """States after every position of sequences of item vectors: (batch, length, dim) -> the same."""
        positions = self.positions.weight[: vectors.shape[1]]
        if self.post_norm:
            x = self.dropout(self.norm(vectors + positions))
        else:
            x = self.dropout(vectors * self.items.embedding_dim**0.5 + positions)
        for block in self.blocks:
            x = block(x)
        return x if self.post_norm else self.norm(x)

    def item_vectors(self) -> Tensor:
        """Embeddings by item code: (item_count, dim)."""
        return self.items.weight[1:]


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
