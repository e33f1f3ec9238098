"""What figures were made with: library versions, the machine, and the wall time of each stage."""

import csv
import logging
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pulse_core.errors import InputError
from pulse_core.evaluation.schema import StageTime

PACKAGES = (
    *("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "gguf"),
    *("vllm", "snakemake", "numpy", "pandas", "pyarrow", "scipy", "pydantic"),
)
log = logging.getLogger("pulse")


def versions(repository: Path | None = None) -> dict[str, str]:
    """Versions of Python and of the libraries that figures depend on, the machine, and the git commit.

    Args:
        repository: a git work tree, whose commit is added, with `+changes` if there are uncommitted ones. Left out
            if there is no work tree or no git.
    """
    info = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for package in PACKAGES:
        try:
            info[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _git(repository, "rev-parse", "HEAD") if repository else None
    if commit:
        info["commit"] = commit + ("+changes" if _git(repository, "status", "--porcelain") else "")
    return info


def _git(repository: Path | None, *arguments: str) -> str | None:
    try:
        completed = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()


def stage_seconds(benchmarks: Mapping[str, Sequence[Path | str]]) -> dict[str, StageTime]:
    """Wall time and peak memory of each stage from Snakemake's benchmark files.

    Args:
        benchmarks: stage -> its benchmark files, one per job. A missing file is logged and gives null.

    Raises:
        InputError: a file is not a benchmark table.
    """
    return {stage: _stage(stage, [Path(file) for file in files]) for stage, files in benchmarks.items()}


def _stage(stage: str, files: Sequence[Path]) -> StageTime:
    rows: list[dict[str, str]] = []
    for file in files:
        if not file.exists():
            log.warning("benchmark of stage %s not found: %s", stage, file)
            continue
        try:
            with file.open(newline="", encoding="utf-8") as lines:
                table = list(csv.DictReader(lines, delimiter="\t"))
            timed = bool(table) and _number(table[0].get("s")) is not None
        except (OSError, ValueError, csv.Error):  # a folder, not text, not numbers
            timed = False
        if not timed:
            raise InputError(f"{file}: not a Snakemake benchmark table (a column `s` with seconds); run {stage} again")
        rows += table
    seconds = [value for row in rows if (value := _number(row.get("s"))) is not None]
    memory = [value for row in rows if (value := _number(row.get("max_rss"))) is not None]
    return StageTime(
        seconds=sum(seconds) if seconds else None, jobs=len(rows), max_rss_mb=max(memory) if memory else None
    )


def _number(text: str | None) -> float | None:
    """A cell of a benchmark file; Snakemake writes - or NA for a job that was too short to measure."""
    return None if text in (None, "", "-", "NA") else float(str(text))
