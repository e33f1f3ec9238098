"""Records of what each stage wrote, and the search for files that have changed since.

The record of `results/a/b.parquet` is `results/.written/a/b.parquet.json`: it moves with its results folder.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from pulse_core.artifacts import read_json, sha256_of, write_json
from pulse_core.errors import InputError

RECORDS = ".written"
ARTIFACTS = {".csv", ".json", ".parquet", ".safetensors", ".tex"}


class Written(BaseModel):
    """One file as its stage wrote it."""

    path: str  # relative to the working directory
    rule: str
    target: str  # the job's first output, which names the job
    command: str  # makes the file again
    seconds: float
    inputs: list[str]
    size: int
    sha256: str


@dataclass(frozen=True)
class Finding:
    """A file that is not what its stage wrote."""

    path: Path
    problem: str
    record: Written | None  # None for a file that has none
    later: tuple[Written, ...] = ()  # one record per job that depends on the file


def record_path(path: Path) -> Path:
    """Where the record of an artifact lies; both relative to the working directory."""
    top, *below = path.parts
    return Path(top, RECORDS, *below[:-1], f"{path.name}.json")


def read_record(path: Path) -> Written | None:
    """The record of an artifact, if it has one. Raises InputError if the record is damaged."""
    file = record_path(path)
    return _parsed(file) if file.is_file() else None


def _parsed(file: Path) -> Written:
    try:
        return Written.model_validate_json(file.read_bytes())
    except ValidationError:
        raise InputError(f"{file} is damaged: delete it") from None


def with_companions(path: Path) -> list[Path]:
    """The files to record for `path`: with weights, every file of their directory (configuration, tokenizer).

    None for files outside the working directory's folders.
    """
    if path.is_absolute() or len(path.parts) == 1:
        return []
    if path.suffix != ".safetensors" or not path.parent.is_dir():
        return [path]
    return sorted({path, *(file for file in path.parent.rglob("*") if file.is_file() and not _hidden(file))})


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def write_records(rule: str, outputs: Sequence[Path], inputs: Sequence[str], seconds: float, command: str) -> None:
    """Record the outputs of a finished job, relative to the working directory."""
    for path in dict.fromkeys(file for output in outputs for file in with_companions(output)):
        record = Written(
            path=path.as_posix(),
            rule=rule,
            target=outputs[0].as_posix(),
            command=command,
            seconds=round(seconds, 3),
            inputs=list(inputs),
            size=path.stat().st_size,
            sha256=sha256_of(path),
        )
        write_json(record_path(path), record.model_dump())


def delete_records(outputs: Iterable[Path]) -> None:
    """Forget what the outputs of a starting job were."""
    for path in (file for output in outputs for file in with_companions(output)):
        record_path(path).unlink(missing_ok=True)


def difference(path: Path, record: Written) -> str | None:
    """How a file differs from its record; None if it does not."""
    if not path.is_file():
        return "is missing"
    if problem := _size_difference(path, record):
        return problem
    return None if sha256_of(path) == record.sha256 else "has changed"


def _size_difference(path: Path, record: Written) -> str | None:
    size = path.stat().st_size
    if size == record.size:
        return None
    verb = "is truncated" if size < record.size else "has changed"
    return f"{verb} ({size:,} of {record.size:,} bytes)"


def size_differences(folder: Path) -> list[str]:
    """Messages on the files in `results` whose size is not the recorded one. Reads no file but the records."""
    return [
        message(file, problem, record)
        for file, record in sorted(_records_of(folder).items())
        if file.is_file() and (problem := _size_difference(file, record))
    ]


def message(path: Path, problem: str, record: Written) -> str:
    """What is wrong with a file, and the command that makes it again."""
    return f"{path} {problem} since rule {record.rule} wrote it: run `{record.command}`"


def unreadable(path: Path) -> str | None:
    """Why a Parquet, JSON or safetensors file cannot be read; None if it can, or is of another kind."""
    readers: dict[str, Callable[[Path], object]] = {
        ".parquet": pq.read_table,
        ".json": read_json,
        ".safetensors": lambda file: safe_open(file, "numpy"),
    }
    try:
        readers.get(path.suffix, Path.stat)(path)
    except (OSError, ValueError, SafetensorError) as error:  # pyarrow's and orjson's errors are ValueErrors
        return str(error).splitlines()[0]
    return None


def verify(directory: Path) -> tuple[int, list[Finding]]:
    """Compare the artifacts in `results` or a folder in it, and all that they were made from, with their records.

    Returns:
        The number of files compared, and those that differ from their record or have none.

    Raises:
        InputError: the folder or its records are missing, or a record is damaged.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        raise InputError(f"{directory} is not a folder")
    top = next((folder for folder in (directory, *directory.parents) if (folder / RECORDS).is_dir()), None)
    if top is None:
        raise InputError(f"{directory} has no records of what its stages wrote (they lie in results/{RECORDS})")
    others = sorted(folder for folder in top.parent.iterdir() if folder != top)
    records = {file: record for folder in (*others, top) for file, record in _records_of(folder).items()}
    jobs = {record.target: record for record in records.values()}
    maker = {record.path: record.target for record in records.values()}
    sources = {name: {maker[path] for path in job.inputs if path in maker} for name, job in jobs.items()}
    readers = {name: {reader for reader, read in sources.items() if name in read} for name in jobs}
    wanted = _closure((job.target for file, job in records.items() if file.is_relative_to(directory)), sources)
    compared = {file: record for file, record in sorted(records.items()) if record.target in wanted}
    findings = []
    for file, record in compared.items():
        if problem := difference(file, record):
            later = _closure([record.target], readers) - {record.target}
            findings.append(Finding(file, problem, record, tuple(jobs[name] for name in sorted(later))))
    for file in sorted(directory.rglob("*")):
        if not _hidden(file.relative_to(directory)) and file.suffix in ARTIFACTS and file not in records:
            findings.append(Finding(file, "has no record", None))
    return len(compared), findings


def _records_of(folder: Path) -> dict[Path, Written]:
    """The records in `folder` by the files that they describe."""
    base = folder / RECORDS
    return {folder / file.relative_to(base).with_suffix(""): _parsed(file) for file in base.rglob("*.json")}


def _closure(names: Iterable[str], neighbours: Mapping[str, set[str]]) -> set[str]:
    """`names` and all that can be reached from them."""
    seen: set[str] = set()
    pending = set(names)
    while pending:
        seen |= pending
        pending = set().union(*(neighbours[name] for name in pending)) - seen
    return seen
