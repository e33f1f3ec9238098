"""Where the workflow keeps the configured pre-trained models: one directory for each origin and kind."""

import re
from collections.abc import Mapping
from typing import Any

from snakemake.exceptions import WorkflowError

from pulse_core.model_settings import ModelSettings

FOLDER = "resources/models"


class PreparedModels:
    """The models of one configuration. Directories are named after origins, so that two configurations don't fight for
    one place; roles of the same origin and kind share one."""

    def __init__(self, roles: Mapping[str, ModelSettings | None]) -> None:
        self.roles: dict[str, ModelSettings] = {role: chosen for role, chosen in roles.items() if chosen}
        self._of_directory = {_directory(role, chosen): (_kind(role), chosen) for role, chosen in self.roles.items()}

    def weights(self, role: str) -> str:
        """The weights of a role's model.

        Raises:
            WorkflowError: the role has no model.
        """
        if role not in self.roles:
            raise WorkflowError(f"models.{role} is null, but a stage of this call needs it: name a model there")
        return f"{FOLDER}/{_directory(role, self.roles[role])}/model.safetensors"

    def all_weights(self) -> list[str]:
        """The weights of every configured model."""
        return [f"{FOLDER}/{directory}/model.safetensors" for directory in self._of_directory]

    def pattern(self) -> str:
        """The values that the wildcard of `resources/models/{model}` may take, as a regular expression."""
        return "|".join(map(re.escape, self._of_directory))

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of the model that `resources/models/{model}` holds."""
        return self._of_directory[wildcards.model][1].model_dump(mode="json")

    def kind(self, wildcards: Any) -> str:
        """What `resources/models/{model}` is loaded as."""
        return self._of_directory[wildcards.model][0]


def _kind(role: str) -> str:
    """What a role's model is loaded as: `causal` (a language model) or `encoder`."""
    return "causal" if role == "slm" else "encoder"


def _directory(role: str, settings: ModelSettings) -> str:
    """The name of a prepared model's directory."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{settings.name} {_kind(role)}").strip("-").lower()
