"""A text encoder: a transformer's token states pooled into one unit-norm vector per text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from pulse_core import processes
from pulse_core.artifacts import whole_directory
from pulse_core.errors import InputError
from pulse_core.models import device
from pulse_core.precision import arithmetic
from pulse_core.progress import progress

Pooling = Literal["mean", "cls"]

# The layout that sentence-transformers reads: transformer, pooling, normalisation.
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def pool_tokens(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Token states (B, T, d) and their mask (B, T; 1 = a token) as float32 vectors (B, d) of any length: the mean of
    the tokens, or the first (`cls`)."""
    states = states.float()
    if pooling == "cls":
        return states[:, 0]
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)


def pool(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """`pool_tokens` scaled to unit norm."""
    return functional.normalize(pool_tokens(states, mask, pooling), dim=-1)


class Encoder:
    """Texts to unit-norm embeddings. Weights are float32; bfloat16 arithmetic is autocast.

    Args:
        path: a directory in Hugging Face layout, such as `save` or sentence-transformers writes.
        max_tokens: longest text read, in tokens with the special ones; the rest is cut off the end.
        dtype: `auto`, `bfloat16` or `float32` arithmetic.
        key: the setting of `max_tokens`, for messages.

    Raises:
        InputError: the directory holds no such model, or the model cannot read `max_tokens` tokens.
    """

    def __init__(
        self,
        path: str | Path,
        max_tokens: int = 96,
        pooling: Pooling = "mean",
        dtype: str = "auto",
        key: str = "max_tokens",
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        path, self.device = Path(path), device()
        # On a CPU torch has no fused attention with dropout; its fallback takes twice as long as eager attention.
        attention = "eager" if self.device.type == "cpu" else None
        if not (path / "config.json").is_file():
            raise InputError(f"encoder: {path} holds no config.json; give a directory in Hugging Face layout")
        try:
            # Loading may initialise weights that a checkpoint lacks (BERT's unused pooler): never from a global seed.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model: Any = AutoModel.from_pretrained(path, dtype=torch.float32, attn_implementation=attention)
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path)
        except (OSError, ValueError) as error:
            raise InputError(f"encoder: cannot load {path}: {error}") from error
        longest = getattr(model.config, "max_position_embeddings", None) or max_tokens
        if max_tokens > longest:
            raise InputError(f"encoder: {key} {max_tokens} is more than the {longest} tokens that {path} can read")
        self.model: nn.Module = model.eval().to(self.device)
        self.max_tokens, self.pooling, self.dtype = max_tokens, pooling, arithmetic(dtype)
        self.dim: int = model.config.hidden_size

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, cut to `max_tokens`, special tokens included."""
        if not texts:
            return []
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Embeddings of one batch of token ids, (B, dim) float32 unit-norm, with gradients if they are enabled."""
        rows = [torch.tensor(tokens, dtype=torch.long) for tokens in token_ids]
        ids = pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id or 0).to(self.device)
        mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True).to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype == "bfloat16"):
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, T, dim)
        return pool(states, mask, self.pooling)

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Embeddings of the texts in evaluation mode, (n, dim) float32 unit-norm.

        Distinct texts are encoded in batches of similar length, which depend on the set of texts, not on their order or
        repeats. Processes that train together divide the batches, and all get all embeddings.
        """
        distinct = sorted(set(texts))
        if not distinct:
            return np.zeros((0, self.dim), dtype=np.float32)
        token_ids = self.tokens(distinct)
        order = sorted(range(len(distinct)), key=lambda index: len(token_ids[index]))
        mine = processes.share([order[start : start + batch_size] for start in range(0, len(order), batch_size)])
        vectors = np.zeros((len(distinct), self.dim), dtype=np.float32)
        training = self.model.training
        self.model.eval()
        with progress("encoding", sum(map(len, mine)), "texts") as meter, torch.inference_mode():
            for rows in mine:
                vectors[rows] = self.embed([token_ids[row] for row in rows]).cpu().numpy()
                meter.advance(len(rows))
        self.model.train(training)
        vectors = processes.total(vectors)
        where = {text: row for row, text in enumerate(distinct)}
        return vectors[[where[text] for text in texts]]

    def save(self, path: str | Path) -> None:
        """Write a directory that transformers, sentence-transformers and `load_encoder` read, whole or not at all."""
        with whole_directory(path) as partial:
            self.model.save_pretrained(partial)  # type: ignore[operator]
            self.tokenizer.save_pretrained(partial)
            (partial / "1_Pooling").mkdir()
            (partial / "2_Normalize").mkdir()
            pooling = {"word_embedding_dimension": self.dim} | {
                f"pooling_mode_{mode}": self.pooling == kind
                for mode, kind in (("cls_token", "cls"), ("mean_tokens", "mean"), ("max_tokens", "max"))
            }
            files = {
                "modules.json": _MODULES,
                "sentence_bert_config.json": {"max_seq_length": self.max_tokens, "do_lower_case": False},
                "1_Pooling/config.json": pooling,
            }
            for name, content in files.items():
                (partial / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_encoder(path: str | Path, dtype: str = "bfloat16") -> Encoder:
    """An encoder with the pooling and length it was saved with.

    Raises:
        InputError: the directory was not written by `Encoder.save` (or in sentence-transformers' layout).
    """
    path = Path(path)
    try:
        pooling = json.loads((path / "1_Pooling/config.json").read_text(encoding="utf-8"))
        max_tokens = json.loads((path / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"encoder: {path} is not a saved encoder ({error}); rerun the Thought Space stage") from error
    return Encoder(path, max_tokens, "cls" if pooling.get("pooling_mode_cls_token") else "mean", dtype)
