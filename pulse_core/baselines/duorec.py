"""DuoRec (Qiu et al. 2022, "Contrastive Learning for Representation Degeneration Problem"): SASRec + same-target pairs.

The loss is cross-entropy over all items plus a contrast of two views of each sample (the paper's "us_x"): the history
under a second dropout mask, and another training history with the same target. What is said of the states afterwards,
alignment and uniformity, is what the paper set out to mend.
"""

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.contrastive import nt_xent
from pulse_core.baselines.packed import packed_states
from pulse_core.baselines.prefix_model import PrefixModel
from pulse_core.baselines.settings.duorec import DuoRecSettings


class DuoRec(PrefixModel):
    """DuoRec under one trial's settings.

    False negatives: other histories of the batch with the same target are among the negatives, as in the paper, unless
    `leave_out_same_target`.
    """

    label = "DuoRec"
    settings: DuoRecSettings

    def positives(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """The same-target prefix of each of these."""
        return self.prefixes.same_target(rows, generator)

    def contrast(self, rows: np.ndarray, generator: np.random.Generator) -> Tensor | None:
        both = np.concatenate([rows, self.positives(rows, generator)])
        states = packed_states(self.model, self.prefixes.padded(both), self.prefixes.lengths[both])
        again, other = states.chunk(2)
        groups = torch.from_numpy(self.prefixes.targets[rows]) if self.settings.leave_out_same_target else None
        return self.settings.weight * nt_xent(again, other, self.settings.temperature, groups)
