"""What an engine's texts depend on beside the request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulse_core.code_version import code_files, files_version


def engine_of(identity: str) -> str:
    """The engine's name in an identity: `transformers`, `vllm` or `fake`."""
    return identity.partition("-")[0]


def engine_identity(module: str, library: str, origin: Mapping[str, Any], *settings: str | int) -> str:
    """Library and its version, the code of this package behind `module`, the weights, and settings that change texts.

    Args:
        module: `__file__` of the engine.
        library: its name and version.
        origin: `origin.json` of the prepared model, with the weights' SHA-256.
        settings: precision, batch (its noise), kind of device, and what else the engine's arithmetic depends on.
    """
    file = Path(module).resolve()
    root = file.parents[2]
    code = files_version((each for each in code_files(file, root) if each.parent == file.parent), root)
    return ":".join([f"{library}-{code}", origin["name"], *origin["sha256"], *map(str, settings)])
