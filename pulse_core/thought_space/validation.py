"""Validation on held-out users: retrieval of their own rationale from a pool of fixed size."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pulse_core.encoder import Encoder
from pulse_core.seeding import derive_seed
from pulse_core.thought_space.examples import TrainingExample
from pulse_core.thought_space.loss import draw_negatives, may_contrast
from pulse_core.thought_space.metrics import space_metrics
from pulse_core.thought_space.settings import ThoughtSpaceSettings


class Validation:
    """Held-out examples with their retrieval pools, drawn once: every measurement ranks the same rationales.

    A pool is the example's rationale and `retrieval_pool - 1` of other held-out users of its domain, where rationales
    are hardest to tell apart, or all if there are fewer (see `pool` and `chance` in the figures).
    """

    def __init__(self, examples: Sequence[TrainingExample], settings: ThoughtSpaceSettings, seed: int) -> None:
        self.examples = examples
        self._batch_size = settings.encode_batch_size
        generator = np.random.default_rng(derive_seed(seed, "retrieval-pools"))
        allowed = may_contrast(self.examples, inter_domain=False)
        self._others = draw_negatives(allowed, settings.retrieval_pool - 1, generator)

    def measure(self, rationale_encoder: Encoder, history_encoder: Encoder, *, brief: bool = False) -> dict[str, Any]:
        """Figures for history-only text and (unless `brief`) for text with the target, overall and per domain.

        Returns:
            {"history_only": {..., "domains": {name: {...}}}, "with_target": the same}; empty with under two examples.
        """
        if len(self.examples) < 2:
            return {}
        rationale = rationale_encoder.encode([e.rationale for e in self.examples], self._batch_size)
        figures = {}
        for kind in ("history_only",) if brief else ("history_only", "with_target"):
            texts = [getattr(example, kind) for example in self.examples]
            figures[kind] = self._figures(history_encoder.encode(texts, self._batch_size), rationale)
        return figures

    def _figures(self, history: np.ndarray, rationale: np.ndarray) -> dict[str, Any]:
        figures: dict[str, Any] = space_metrics(history, rationale, self._others)
        domains = [e.domain for e in self.examples]
        figures["domains"] = {}
        for domain in sorted(set(domains)):
            rows = np.array([row for row, name in enumerate(domains) if name == domain])
            if len(rows) < 2:
                continue
            # Pools stay within a domain, so their entries can be renumbered to the domain's rows.
            renumber = np.full(len(domains) + 1, -1)
            renumber[rows] = np.arange(len(rows))
            figures["domains"][domain] = space_metrics(history[rows], rationale[rows], renumber[self._others[rows]])
        return figures
