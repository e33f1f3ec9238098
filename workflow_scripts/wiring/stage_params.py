"""What a rule passes to its script: sections of the configuration, templates, and the version of the code."""

from pathlib import Path
from typing import Any

from pulse_core.code_version import code_version
from pulse_core.config import Config
from pulse_core.errors import InputError
from workflow_scripts.wiring.locations import here_or_in_checkout, or_exit

SCRIPTS = "workflow_scripts"


class StageParams:
    """Params of the rules for one configuration; `root` is the checkout."""

    def __init__(self, settings: Config, root: Path) -> None:
        self.settings, self._root = settings, root

    def code(self, script: str) -> str:
        """Version of `workflow_scripts/<script>.py` and of all pulse_core modules that it imports."""
        return code_version(f"{SCRIPTS}/{script}.py", self._root)

    def plain(self, section: str) -> dict[str, Any]:
        """One section as plain values. Defaults are included, so that writing one into config.yaml reruns nothing."""
        return getattr(self.settings, section).model_dump(mode="json")

    def part(self, section: str, *keys: str) -> dict[str, Any]:
        """Some keys of a section, for a rule that reads no others."""
        return {key: value for key, value in self.plain(section).items() if key in keys}

    def template(self, name: str) -> str:
        """Path of a configured prompt template.

        Raises:
            SystemExit: it is not a file.
        """
        return str(or_exit(self._template, name))

    def _template(self, name: str) -> Path:
        file = here_or_in_checkout(getattr(self.settings.prompts, name), self._root)
        if not file.is_file():
            raise InputError(f"prompts.{name}: {file} {'is not a file' if file.exists() else 'does not exist'}")
        return file
