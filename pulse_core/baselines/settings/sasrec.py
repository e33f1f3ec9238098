"""Settings of SASRec as a baseline."""

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings
from pulse_core.sequence.settings import SASRecTrainingSettings


class SASRecBaselineSettings(TunedSettings, SASRecTrainingSettings):
    """SASRec (Kang & McAuley 2018), tuned: full softmax and the original loss with one negative."""

    search: Trials = Field(
        [
            {"loss": "ce"},
            {"loss": "bce", "learning_rate": 1e-3, "batch_size": 128},
            {"loss": "ce", "dropout": 0.3},
            {"loss": "ce", "dimension": 64},
        ]
    )
    """One entry per trial; the first two are the two losses, the second with the paper's rate and batch size."""
