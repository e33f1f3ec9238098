"""Scorers of leaves: agreement in an embedding space (Eq. 2; ablation A) or likelihood under the language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulse_core.encoder import Encoder
from pulse_core.errors import InputError
from pulse_core.selection.settings import SelectionSettings
from pulse_core.thought_space.training import load_thought_space


@dataclass(frozen=True)
class AgreementScorer:
    """S(R) = sim(E1(R), E2(b_u)), cosine. With one frozen encoder for both: rows D and S of the ablation."""

    name: str
    rationale_encoder: Encoder
    history_encoder: Encoder
    batch_size: int = 64
    reads_behaviour: ClassVar = True

    def scores(self, behaviour: Sequence[str], rationale: Sequence[str], mean_logprob: np.ndarray) -> np.ndarray:
        """Cosine of the two embeddings of each (behaviour text, leaf) pair, (n,) float64."""
        z_rationale = self.rationale_encoder.encode(rationale, self.batch_size).astype(np.float64)
        z_history = self.history_encoder.encode(behaviour, self.batch_size).astype(np.float64)
        return (z_rationale * z_history).sum(axis=1)


class LikelihoodScorer:
    """The leaf's mean token log-probability, recorded when it was sampled; ignores behaviour."""

    name = "likelihood"
    reads_behaviour = False

    def scores(self, behaviour: Sequence[str], rationale: Sequence[str], mean_logprob: np.ndarray) -> np.ndarray:
        """`mean_logprob`."""
        return mean_logprob


Scorer = AgreementScorer | LikelihoodScorer


def make_scorer(name: str, settings: SelectionSettings, source: Path | None = None) -> Scorer:
    """The scorer called `name`; `source` is the directory of its Thought Space or frozen encoder, if it has one.

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
