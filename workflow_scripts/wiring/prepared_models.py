"""Directories of the prepared pre-trained models: one per origin and kind."""

import re
from collections.abc import Mapping
from typing import Any

from pulse_core.errors import InputError
from pulse_core.model_settings import ModelSettings
from workflow_scripts.wiring.layout import MODEL_WEIGHTS, fill


class PreparedModels:
    """The models of one configuration. A directory is named after the model's origin, so that configurations do not
    overwrite each other's; roles with the same origin and kind share one."""

    def __init__(self, roles: Mapping[str, ModelSettings | None]) -> None:
        self.roles: dict[str, ModelSettings] = {role: chosen for role, chosen in roles.items() if chosen}
        self._of_directory = {_directory(role, chosen): (_kind(role), chosen) for role, chosen in self.roles.items()}

    def weights(self, role: str) -> str:
        """The weights of a role's model.

        Raises:
            InputError: the role has no model.
        """
        if role not in self.roles:
            raise InputError(f"models.{role} is null, but this run needs it: set its path, package or hub")
        return fill(MODEL_WEIGHTS, model=_directory(role, self.roles[role]))

    def all_weights(self) -> list[str]:
        """The weights of every configured model."""
        return [fill(MODEL_WEIGHTS, model=directory) for directory in self._of_directory]

    def pattern(self) -> str:
        """Regular expression of the wildcard in `resources/models/{model}`."""
        return "|".join(map(re.escape, self._of_directory))

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of the model in `resources/models/{model}`."""
        return self._of_directory[wildcards.model][1].model_dump(mode="json")

    def kind(self, wildcards: Any) -> str:
        """Kind of the model in `resources/models/{model}`."""
        return self._of_directory[wildcards.model][0]


def _kind(role: str) -> str:
    """Kind of a role's model: `causal` (a language model) or `encoder`."""
    return "causal" if role == "slm" else "encoder"


def _directory(role: str, settings: ModelSettings) -> str:
    """The name of a prepared model's directory."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{settings.name} {_kind(role)}").strip("-").lower()
