"""DuoRec (Qiu et al. 2022, "Contrastive Learning for Representation Degeneration Problem"): SASRec + same-target pairs.

The loss is cross-entropy over all items plus a contrast of two views of each sample (the paper's "us_x"): the history
under a second dropout mask, and another training history with the same target. metrics.json reports alignment and
uniformity of the states, which the paper aims to improve.
"""

import numpy as np
import torch
from torch import Tensor

from pulse_core.baselines.packed import packed_states
from pulse_core.baselines.prefix_model import PrefixModel, nt_xent
from pulse_core.baselines.settings.duorec import DuoRecSettings


class DuoRec(PrefixModel):
    """DuoRec with one trial's settings."""

    label = "DuoRec"
    settings: DuoRecSettings

    def contrast(self, rows: np.ndarray, generator: np.random.Generator) -> Tensor | None:
        both = np.concatenate([rows, self.prefixes.same_target(rows, generator)])
        states = packed_states(self.model, self.prefixes.padded(both), self.prefixes.lengths[both])
        second_pass, same_target = states.chunk(2)
        groups = torch.from_numpy(self.prefixes.targets[rows]) if self.settings.leave_out_same_target else None
        return self.settings.weight * nt_xent(second_pass, same_target, self.settings.temperature, groups)
