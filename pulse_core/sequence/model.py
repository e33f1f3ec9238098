"""SASRec: self-attentive sequential recommendation (Kang & McAuley 2018), in its pre-norm form.

Items are codes 0..item_count-1 outside this module. Inside, code + 1 is embedded and 0 is padding. Sequences are
padded on the right: under the causal mask no real position ever looks at padding, so attention needs no second mask.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, dimension: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(dimension, eps=1e-8)
        self.queries_keys_values = nn.Linear(dimension, 3 * dimension)
        self.output = nn.Linear(dimension, dimension)
        self.feed_forward_norm = nn.LayerNorm(dimension, eps=1e-8)
        self.feed_forward = nn.Sequential(
            nn.Linear(dimension, dimension),
            nn.Dropout(dropout),
            nn.ReLU(),
            nn.Linear(dimension, dimension),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:  # (batch, length, dim) -> the same
        batch, length, dimension = x.shape
        mixed = self.queries_keys_values(self.attention_norm(x))
        mixed = mixed.view(batch, length, 3, self.heads, dimension // self.heads).permute(2, 0, 3, 1, 4)
        queries, keys, values = mixed.unbind(0)  # each (batch, heads, length, dim / heads)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=True)
        x = x + self.output(attended.transpose(1, 2).reshape(batch, length, dimension))
        return x + self.feed_forward(self.feed_forward_norm(x))


class SASRec(nn.Module):
    """States of histories and, by inner product with the item embeddings, scores of next items."""

    def __init__(
        self, item_count: int, dimension: int, blocks: int, heads: int, dropout: float, max_length: int
    ) -> None:
        super().__init__()
        self.item_count, self.max_length = item_count, max_length
        self.items = nn.Embedding(item_count + 1, dimension, padding_idx=0)
        self.positions = nn.Embedding(max_length, dimension)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dimension, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dimension, eps=1e-8)
        self._initialise()

    def _initialise(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        with torch.no_grad():
            self.items.weight[0].zero_()  # xavier also fills the padding row

    def forward(self, padded: Tensor) -> Tensor:
        """States after every position: (batch, length) codes + 1, zeros on the right -> (batch, length, dim)."""
        embedded = self.items(padded) * self.items.embedding_dim**0.5
        x = self.dropout(embedded + self.positions.weight[: padded.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def item_vectors(self) -> Tensor:
        """Embeddings by item code: (item_count, dim)."""
        return self.items.weight[1:]
