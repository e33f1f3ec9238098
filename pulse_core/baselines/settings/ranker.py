"""Trials of the ranker, for both PULSE and SLM + SFT."""

from typing import Any, Self

from pydantic import Field

from pulse_core.baselines.settings.tuned import Trials, TunedSettings, require_different
from pulse_core.errors import InputError
from pulse_core.ranking.settings import RankerSettings


class RankerTrialsSettings(TunedSettings):
    """Trials of the ranker, the same for PULSE and SLM + SFT: only the rationale differs."""

    search: Trials = Field([{}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3}, {"epochs": 4}])
    """One entry per trial: changes to the section `ranker`. `{}` is the ranker of hr1.json, not trained again."""

    def _with(self, changed: dict[str, Any]) -> Self:
        RankerSettings.model_validate(changed)
        return self.model_copy(update={"search": [changed]})

    def require_different_over(self, ranker: RankerSettings) -> None:
        """Raises InputError if two trials give the same ranker; for hr1.json alone it may have any settings."""
        try:
            require_different(self.search, [self.trial(number).over(ranker) for number in range(len(self.search))])
        except ValueError as error:
            raise InputError(f"baselines.ranker.{error} (trials change the section `ranker`)") from None

    @property
    def changed(self) -> dict[str, Any]:
        """Changes of this trial; ValueError unless `search` has a single entry, as after `trial(number)`."""
        if len(self.search) != 1:
            raise ValueError(f"got the settings of {len(self.search)} trials; select one with trial(number)")
        return self.search[0]

    def over(self, ranker: RankerSettings) -> RankerSettings:
        """The ranker's settings in this trial; ValueError as `changed`."""
        return RankerSettings.model_validate({**ranker.model_dump(), **self.changed})
