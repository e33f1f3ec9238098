"""Digests of raw files, cached by path, size and times, so that an unchanged file is read only once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulse_core.artifacts import sha256_of, whole_file

CACHE = Path(".snakemake/raw-digests.json")


def digests(files: Mapping[str, str]) -> dict[str, str]:
    """Name -> SHA-256 of the file's content; files that do not exist are left out."""
    known = _read_cache()
    paths = {name: Path(file).absolute() for name, file in files.items()}
    current = {str(path): _digest(path, known.get(str(path))) for path in paths.values() if path.exists()}
    if any(known.get(path) != entry for path, entry in current.items()):
        CACHE.parent.mkdir(exist_ok=True)
        with whole_file(CACHE) as partial:
            partial.write_text(json.dumps(known | current, indent=1), encoding="utf-8")
    return {name: current[str(path)]["sha256"] for name, path in paths.items() if str(path) in current}


def _digest(file: Path, known: dict[str, Any] | None) -> dict[str, Any]:
    status = file.stat()
    # ctime, which users cannot set, reveals a replacement with the same size and mtime.
    state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    if known and known["state"] == state:
        return known
    return {"state": state, "sha256": sha256_of(file)}


def _read_cache() -> dict[str, Any]:
    """The digests that earlier calls cached; empty if the cache is missing or damaged."""
    try:
        known = json.loads(CACHE.read_text(encoding="utf-8"))
        return {path: entry for path, entry in known.items() if entry.keys() == {"state", "sha256"}}
    except (OSError, ValueError, AttributeError):
        return {}
