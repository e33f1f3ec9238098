"""Base settings of every tuned system: the list of its validation trials."""

import json
from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from pulse_core.settings import Settings

Trials = list[dict[str, Any]]


def merged(values: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """`values` updated recursively with `changed`."""
    inner = {
        key: merged(values[key], value)
        for key, value in changed.items()
        if isinstance(value, dict) and isinstance(values.get(key), dict)
    }
    return {**values, **changed, **inner}


def require_different(search: Trials, settings: Sequence[Settings]) -> None:
    """Raises ValueError if a trial repeats an earlier one; `settings` are those of the first entries of `search`."""
    for number, current in enumerate(settings):
        if current in settings[:number]:
            raise ValueError(
                f"search[{number}] = {json.dumps(search[number])}: the same trial as "
                f"search[{settings.index(current)}], because its values are already set; change or remove it"
            )


class TunedSettings(Settings):
    """Settings of a tuned system; every trial changes these values."""

    search: Trials = Field([{}])
    """One entry per trial: the values it changes. The first `baselines.trials` are run, and the best by validation
    HR@1 among the candidates (then NDCG@10) is kept."""

    @model_validator(mode="after")
    def _each_trial_valid(self) -> Self:
        for number, changed in enumerate(self.search):
            if "search" in changed:
                raise ValueError(f"search[{number}]: a trial cannot change the list of trials")
            try:
                self._with(changed)
            except ValidationError as error:
                details = error.errors(include_url=False)[0]
                key = ".".join(map(str, details["loc"]))
                unknown = details["type"] == "extra_forbidden"
                message = "is not a known key" if unknown else details["msg"].removeprefix("Value error, ")
                raise ValueError(f"search[{number}] = {json.dumps(changed)}: {key} {message}") from None
        return self

    def _with(self, changed: dict[str, Any]) -> Self:
        return type(self).model_validate(merged({**self.model_dump(), "search": []}, changed))

    def trial(self, number: int) -> Self:
        """Settings of this trial, numbered from 0."""
        return self._with(self.search[number])
