"""The section `baselines` of the configuration. Each stage imports only the module of its part."""

from typing import Self

from pydantic import Field, model_validator

from pulse_core.baselines.settings.a_llmrec import ALLMRecSettings
from pulse_core.baselines.settings.ctrl import CTRLSettings
from pulse_core.baselines.settings.duorec import DuoRecSettings
from pulse_core.baselines.settings.ec4srec import EC4SRecSettings
from pulse_core.baselines.settings.item_knn import ItemKNNSettings
from pulse_core.baselines.settings.morec import MoRecSettings
from pulse_core.baselines.settings.ranker import RankerTrialsSettings
from pulse_core.baselines.settings.sasrec import SASRecBaselineSettings
from pulse_core.baselines.settings.tuned import TunedSettings, require_different
from pulse_core.settings import Settings


class BaselinesSettings(Settings):
    """The other systems in results/tables/overall.csv and their tuning."""

    trials: int = Field(default=2, ge=1)
    """Validation trials per system, PULSE included: the first entries of each `search`."""
    sasrec: SASRecBaselineSettings = SASRecBaselineSettings()
    duorec: DuoRecSettings = DuoRecSettings()
    ec4srec: EC4SRecSettings = EC4SRecSettings()
    morec: MoRecSettings = MoRecSettings()
    ctrl: CTRLSettings = CTRLSettings()
    a_llmrec: ALLMRecSettings = ALLMRecSettings()
    ranker: RankerTrialsSettings = RankerTrialsSettings()
    item_knn: ItemKNNSettings = ItemKNNSettings()

    @model_validator(mode="after")
    def _enough_trials(self) -> Self:
        for name in type(self).model_fields:
            section = getattr(self, name)
            if not isinstance(section, TunedSettings):
                continue
            if len(section.search) < self.trials:
                raise ValueError(
                    f"baselines.{name}.search: got {len(section.search)} entries, expected at least baselines.trials "
                    f"({self.trials}): every system has the same number of trials"
                )
            try:
                require_different(section.search, [section.trial(number) for number in range(self.trials)])
            except ValueError as error:
                raise ValueError(f"baselines.{name}.{error}") from None
        return self
