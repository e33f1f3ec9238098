"""What a figure was made with: versions of the libraries, the machine, and the seconds that each stage took."""

import csv
import logging
import os
import platform
import subprocess
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pulse_core.errors import InputError
from pulse_core.evaluation.schema import StageTime

PACKAGES = (
    *("torch", "transformers", "peft", "sentence-transformers", "accelerate", "tokenizers", "safetensors", "gguf"),
    *("vllm", "snakemake", "numpy", "pandas", "pyarrow", "scipy", "pydantic"),
)
log = logging.getLogger("pulse")


def versions(repository: Path | None = None) -> dict[str, str]:
    """Versions of Python and the installed libraries that figures depend on, the machine, and the git commit.

    Args:
        repository: a git work tree whose commit is added, marked `+changes` when it has uncommitted ones; a directory
            that is none, or a machine without git, leaves it out.
    """
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _git(repository, "rev-parse", "HEAD") if repository else None
    if commit:
        found["commit"] = commit + ("+changes" if _git(repository, "status", "--porcelain") else "")
    return found


def _git(repository: Path | None, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def benchmark_files(directory: Path | str, exclude: Collection[str] = ("hr1",)) -> dict[str, list[Path]]:
    """Job -> its benchmark file for every `*.tsv` in `directory`, sorted by name.

    Args:
        exclude: stems left out; the evaluation's own file is written after it ends, so one that is there is old.
    """
    files = sorted(Path(directory).glob("*.tsv"), key=lambda file: file.stem)
    return {file.stem: [file] for file in files if file.stem not in exclude}


def stage_seconds(benchmarks: Mapping[str, Path | str | Sequence[Path | str]]) -> dict[str, StageTime]:
    """Wall time and peak memory of each rule from Snakemake's benchmark files.

    Args:
        benchmarks: rule -> its benchmark file, or files where the rule ran as several jobs. A file that is not there
            is logged and gives null, not an error: a time is no figure of merit.

    Raises:
        InputError: a file is no benchmark table.
    """
    return {rule: _stage(rule, files) for rule, files in benchmarks.items()}


def _stage(rule: str, files: Path | str | Sequence[Path | str]) -> StageTime:
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(each) for each in files]
    rows: list[dict[str, str]] = []
    for path in paths:
        if not path.exists():
            log.warning("benchmark of rule %s not found: %s", rule, path)
            continue
        with path.open(newline="", encoding="utf-8") as lines:
            table = list(csv.DictReader(lines, delimiter="\t"))
        if not table or _number(table[0].get("s")) is None:
            raise InputError(f"{path}: no Snakemake benchmark table (a column `s` with seconds); run rule {rule} again")
        rows += table
    seconds = [value for row in rows if (value := _number(row.get("s"))) is not None]
    memory = [value for row in rows if (value := _number(row.get("max_rss"))) is not None]
    return StageTime(
        seconds=sum(seconds) if seconds else None, jobs=len(rows), max_rss_mb=max(memory) if memory else None
    )


def _number(text: str | None) -> float | None:
    """A benchmark cell; Snakemake writes - or NA where a job ended before it could be measured."""
    return None if text in (None, "", "-", "NA") else float(str(text))
