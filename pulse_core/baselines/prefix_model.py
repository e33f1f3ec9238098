"""Base of DuoRec and EC4SRec: a post-norm backbone, trained on all prefixes with cross-entropy and a contrast."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pulse_core.baselines.domain import Domain, Examples
from pulse_core.baselines.prefixes import Prefixes
from pulse_core.baselines.sasrec import IDModel
from pulse_core.baselines.settings.post_norm import PostNormSettings
from pulse_core.checkpoints import Checkpoint
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.states import states
from pulse_core.thought_space.metrics import alignment, uniformity
from pulse_core.training_loop import descend

UNIFORMITY_SAMPLE = 2000  # maximum states for uniformity, whose cost is quadratic


def nt_xent(first: Tensor, second: Tensor, temperature: float = 1.0, groups: Tensor | None = None) -> Tensor:
    """NT-Xent (Chen et al. 2020) as in DuoRec: each of 2B views has one positive and 2B - 2 negatives; mean over views.

    Similarity is the inner product; pass unit vectors for cosine. first, second: the two views of each sample, (B, d).
    groups (B,): samples of the same group are not negatives of each other.
    """
    size = len(first)
    views = torch.cat([first, second])  # (2B, d)
    logits = views @ views.T / temperature
    excluded = torch.eye(2 * size, dtype=torch.bool, device=views.device)
    partner = torch.arange(2 * size, device=views.device).roll(size)
    if groups is not None:
        both = groups.repeat(2)
        same = both[:, None] == both[None, :]
        same[torch.arange(2 * size), partner] = False
        excluded = excluded | same
    return F.cross_entropy(logits.masked_fill(excluded, -torch.inf), partner)


def negatives_together(positive: Tensor, negative: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020) with the negative views as one class, as in EC4SRec.

    -log(exp(n . m / t) / sum over all other views a of exp(n . a / t)), mean over anchors n and partners m, both
    negative views; positive views appear only in the sum. Similarity is the cosine. Zero with fewer than two negatives.
    positive (P, d), negative (N, d); t: temperature.
    """
    count = len(negative)
    if count < 2:
        return negative.sum() * 0.0
    anchors = F.normalize(negative, dim=1)
    others = torch.cat([anchors, F.normalize(positive, dim=1)])  # (N + P, d)
    itself = torch.eye(count, len(others), dtype=torch.bool, device=others.device)
    logits = (anchors @ others.T / temperature).masked_fill(itself, -torch.inf)
    partners = logits[:, :count].masked_fill(itself[:, :count], 0.0).sum(dim=1) / (count - 1)
    return (logits.logsumexp(dim=1) - partners).mean()


class PrefixModel(IDModel):
    """A post-norm backbone trained on all prefixes; subclasses define the contrastive loss."""

    settings: PostNormSettings

    def __init__(self, domain: Domain, settings: Any, seed: int) -> None:
        super().__init__(domain, settings, seed)
        self.prefixes = Prefixes(domain.sequences, settings.max_length)

    def new_backbone(self) -> SASRec:
        return SASRec(self.domain.item_count, self.settings, post_norm=True)

    def prepare(self, number: int) -> None:
        """Called before each epoch."""

    @abstractmethod
    def contrast(self, rows: np.ndarray, generator: np.random.Generator) -> Tensor | None:
        """The weighted contrastive loss of these prefixes; None if it is not used yet."""

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        optimiser = torch.optim.Adam(self.model.parameters(), lr=self.settings.learning_rate, fused=True)

        def epoch(number: int, generator: np.random.Generator) -> list[float]:
            return descend(optimiser, self._losses(number, generator), self.label)

        return self.train(epoch, optimiser, checkpoint)

    def _losses(self, number: int, generator: np.random.Generator) -> Iterator[Tensor]:
        self.prepare(number)
        batch_size = self.settings.batch_size
        for windows, rows in self.prefixes.steps(batch_size, generator):
            loss = self.prefixes.cross_entropy(self.model, windows, batch_size)
            contrast = self.contrast(rows, generator)
            yield loss if contrast is None else loss + contrast

    def further_figures(self, examples: Examples) -> dict[str, float]:
        """Alignment and uniformity (Wang & Isola 2020) of unit-norm states.

        Alignment pairs consecutive histories with the same target, if any; uniformity is of evenly spaced ones.
        """
        vectors = states(self.model, examples.histories)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        order = np.argsort(examples.targets, kind="stable")
        pairs = np.flatnonzero(np.diff(examples.targets[order]) == 0)
        picked = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), UNIFORMITY_SAMPLE)).astype(int)]
        figures = {"uniformity": uniformity(picked)} if len(picked) > 1 else {}
        if len(pairs):
            figures["alignment"] = alignment(vectors[order[pairs]], vectors[order[pairs + 1]])
        return figures
