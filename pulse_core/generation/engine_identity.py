"""Engine identities: everything a text depends on besides its request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulse_core.code_version import code_files, files_version


def engine_of(identity: str) -> str:
    """The engine named in an identity: `transformers`, `vllm` or `fake`."""
    return identity.partition("-")[0]


def engine_identity(module: str, library: str, origin: Mapping[str, Any], *settings: str | int) -> str:
    """The identity of an engine: library, this package's code that it uses, weights, and settings that change texts.

    Args:
        module: `__file__` of the engine.
        library: name and version of the library.
        origin: `origin.json` of the prepared model, with the weights' SHA-256.
        settings: precision, batch size, device type and others that change rounding.
    """
    file = Path(module).resolve()
    root = file.parents[2]
    code = files_version((code for code in code_files(file, root) if code.parent == file.parent), root)
    return ":".join([f"{library}-{code}", origin["name"], *origin["sha256"], *map(str, settings)])
