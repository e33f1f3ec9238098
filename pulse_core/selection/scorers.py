"""Scorers of leaves: agreement in an embedding space (Eq. 2; ablation A) or likelihood under the language model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pulse_core.encoder import Encoder
from pulse_core.errors import InputError
from pulse_core.selection.settings import ScorerName, SelectionSettings
from pulse_core.thought_space.training import load_thought_space


class TextEncoder(Protocol):
    """Embeds texts with unit norm."""

    def encode(self, texts: Sequence[str], batch_size: int = ...) -> np.ndarray:
        """(n, dim) embeddings, in order."""
        ...


class Scorer(Protocol):
    """Scores leaves independently of each other; higher is better."""

    name: str
    reads_behaviour: bool

    def scores(self, behaviour: Sequence[str], rationale: Sequence[str], mean_logprob: np.ndarray) -> np.ndarray:
        """(n,) float64 scores of n (behaviour text, leaf) pairs."""
        ...


class AgreementScorer:
    """S(R) = sim(E1(R), E2(b_u)), cosine. With one frozen encoder for both: rows D and S of the ablation."""

    reads_behaviour = True

    def __init__(
        self, name: str, rationale_encoder: TextEncoder, history_encoder: TextEncoder, batch_size: int = 64
    ) -> None:
        self.name = name
        self._rationale, self._history, self._batch_size = rationale_encoder, history_encoder, batch_size

    def scores(self, behaviour: Sequence[str], rationale: Sequence[str], mean_logprob: np.ndarray) -> np.ndarray:
        """Cosine of the two embeddings."""
        z_rationale = self._rationale.encode(rationale, self._batch_size).astype(np.float64)
        z_history = self._history.encode(behaviour, self._batch_size).astype(np.float64)
        return (z_rationale * z_history).sum(axis=1)


class LikelihoodScorer:
    """The leaf's mean token log-probability, recorded when it was sampled; ignores behaviour."""

    name = "likelihood"
    reads_behaviour = False

    def scores(self, behaviour: Sequence[str], rationale: Sequence[str], mean_logprob: np.ndarray) -> np.ndarray:
        """`mean_logprob`."""
        return np.asarray(mean_logprob, dtype=np.float64)


def make_scorer(name: ScorerName | str, settings: SelectionSettings, source: Path | None = None) -> Scorer:
    """The scorer called `name`.

    Args:
        name: `thought_space`, `distilbert`, `sbert` or `likelihood`.
        settings: lengths, pooling and precision.
        source: directory of the trained Thought Space (`thought_space`) or the frozen encoder (`distilbert`, `sbert`);
            not used by `likelihood`.

    Raises:
        InputError: the name is unknown, or `source` is missing.
    """
    if name == "likelihood":
        return LikelihoodScorer()
    if name not in ("thought_space", "distilbert", "sbert"):
        raise InputError(f"selection: no scorer {name!r}; there are thought_space, distilbert, sbert and likelihood")
    if source is None:
        raise InputError(f"selection: the scorer {name} needs the directory of its encoder")
    if name == "thought_space":
        rationale_encoder, history_encoder = load_thought_space(source, settings.dtype)
        return AgreementScorer(name, rationale_encoder, history_encoder, settings.batch_size)
    encoder = Encoder(source, settings.max_tokens, settings.pooling, settings.dtype)
    return AgreementScorer(name, encoder, encoder, settings.batch_size)
