"""EC4SRec (Wang et al. 2022): cross-entropy, and self-supervised and supervised contrast guided by explanations.

    loss = CE + w1 NT-Xent(positive view, positive view) + w2 SupCon(negative views together, away from positive ones)
              + w3 NT-Xent(second dropout pass, retrieved history of the same target)

Importance is computed at the start of each explaining epoch; before the first, the loss is cross-entropy alone.
"""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from pulse_core.baselines.domain import Domain
from pulse_core.baselines.ec4srec.importance import importance
from pulse_core.baselines.ec4srec.retrieval import Retrieval
from pulse_core.baselines.ec4srec.views import Batch, importance_ranks, negative_view, positive_views
from pulse_core.baselines.packed import packed_states
from pulse_core.baselines.prefix_model import PrefixModel, negatives_together, nt_xent
from pulse_core.baselines.settings.ec4srec import EC4SRecSettings
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec


class MaskedSASRec(SASRec):
    """The post-norm backbone with an extra embedding for a masked item, which is never scored."""

    def __init__(self, item_count: int, settings: EC4SRecSettings) -> None:
        super().__init__(item_count + 1, settings, post_norm=True)
        self.item_count = item_count
        self.mask = item_count + 1  # the masked item's index (items are code + 1)

    def item_vectors(self) -> Tensor:
        return self.items.weight[1 : self.item_count + 1]


class EC4SRec(PrefixModel):
    """EC4SRec with one trial's settings."""

    label = "EC4SRec"
    settings: EC4SRecSettings
    model: MaskedSASRec

    def __init__(self, domain: Domain, settings: EC4SRecSettings, seed: int) -> None:
        super().__init__(domain, settings, seed)
        # The model at the last explaining epoch. It is never optimised, but saved in checkpoints, so that a resumed
        # training computes the same importance.
        self.explained = copy.deepcopy(self.model)
        self.network = nn.ModuleDict({"model": self.model, "explained": self.explained})
        self.first_validation = settings.explaining_epochs[0]  # before it, the loss lacks the contrast
        self._explained_at = 0
        self._importance = np.zeros(0, dtype=np.float32)
        self._retrieval: Retrieval | None = None
        self._retrieved = np.zeros(0, dtype=np.int64)

    def new_backbone(self) -> MaskedSASRec:
        return MaskedSASRec(self.domain.item_count, self.settings)

    def prepare(self, number: int) -> None:
        due = max((epoch for epoch in self.settings.explaining_epochs if epoch <= number), default=0)
        if due and due != self._explained_at:
            if due == number:
                self.explained.load_state_dict(self.model.state_dict())
            self._importance = importance(self.explained, self.prefixes, self.settings.importance)
            generator = np.random.default_rng(derive_seed(self.seed, "retrieval", due))
            self._retrieval = Retrieval(self.prefixes, self._importance, self.domain.item_count, generator)
            self._explained_at = due
        if self._retrieval:
            self._retrieved = self._retrieval.draw(np.random.default_rng(derive_seed(self.seed, "retrieved", number)))

    def contrast(self, rows: np.ndarray, generator: np.random.Generator) -> Tensor | None:
        if self._retrieval is None:
            return None
        prefixes, settings = self.prefixes, self.settings
        batch = Batch(prefixes.padded(rows), prefixes.lengths[rows])
        ranks = importance_ranks(prefixes.ragged(self._importance, rows), batch.lengths)
        mask = self.model.mask
        one, other = positive_views(batch, ranks, settings.positive_ratio, mask, generator)
        negatives = negative_view(batch, ranks, settings.negative_ratio, mask, generator)
        retrieved = self._retrieved[rows]
        same_target = Batch(prefixes.padded(retrieved), prefixes.lengths[retrieved])
        states = self._states(batch, one, other, negatives, same_target)
        second_pass, first, second, negative, supervised = states.chunk(5)
        return (
            settings.positive_weight * nt_xent(first, second, settings.temperature)
            + settings.negative_weight
            * negatives_together(torch.cat([first, second]), negative, settings.negative_temperature)
            + settings.supervised_weight * nt_xent(second_pass, supervised, settings.temperature)
        )

    def _states(self, *batches: Batch) -> Tensor:
        """Last states of all rows of all batches, in order."""
        longest = max(batch.padded.shape[1] for batch in batches)
        padded = [np.pad(batch.padded, ((0, 0), (0, longest - batch.padded.shape[1]))) for batch in batches]
        return packed_states(self.model, np.concatenate(padded), np.concatenate([batch.lengths for batch in batches]))
