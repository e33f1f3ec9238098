"""What figures were made with: library versions, the machine, and the wall time of each stage."""

import logging
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.schema import StageTime

PACKAGES = (
    *("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "gguf"),
    *("vllm", "snakemake", "numpy", "pandas", "pyarrow", "scipy", "pydantic"),
)
log = logging.getLogger("pulse")


def versions(repository: Path) -> dict[str, str]:
    """Versions of Python and of the libraries that figures depend on, the machine, and the work tree's git commit.

    The commit ends in `+changes` if there are uncommitted ones, and is left out without work tree or git.
    """
    info = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            info[package] = metadata.version(package)
    if commit := _git(repository, "rev-parse", "HEAD"):
        info["commit"] = commit + ("+changes" if _git(repository, "status", "--porcelain") else "")
    return info


def _git(repository: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(repository), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def stage_seconds(benchmarks: Mapping[str, Sequence[Path | str]]) -> dict[str, StageTime]:
    """Wall time and peak memory of each stage from Snakemake's benchmark files, one per job.

    A missing file is logged and gives null.

    Raises:
        InputError: a file is not a benchmark table.
    """
    return {stage: _stage(stage, [Path(file) for file in files]) for stage, files in benchmarks.items()}


def _stage(stage: str, files: Sequence[Path]) -> StageTime:
    seconds: list[float] = []
    memory: list[float] = []
    for file in files:
        if not file.exists():
            log.warning("benchmark of stage %s not found: %s", stage, file)
            continue
        try:
            # Snakemake writes - or NA for the memory of a job that was too short to measure.
            table = pd.read_csv(
                file, sep="\t", usecols=["s", "max_rss"], dtype=float, na_values="-", float_precision="round_trip"
            )
            if table.empty or table["s"].isna().any():
                raise ValueError("seconds are missing")
        except (OSError, ValueError) as error:  # a folder, not text, not numbers
            raise InputError(
                f"{file}: not a Snakemake benchmark table (a column `s` with seconds); run {stage} again"
            ) from error
        seconds += table["s"].tolist()
        memory += table["max_rss"].dropna().tolist()
    return StageTime(
        seconds=sum(seconds) if seconds else None, jobs=len(seconds), max_rss_mb=max(memory) if memory else None
    )
