"""Size and SHA-256 of raw files, recorded at first sight beside them (`sha256sum -c` reads the record) and enforced."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pulse_core.artifacts import whole_file
from pulse_core.errors import InputError

_SIZE = re.compile(r"^# (\d+) bytes", re.MULTILINE)
_DIGEST = re.compile(r"^([0-9a-f]{64}) [ *]", re.MULTILINE)


@dataclass(frozen=True)
class Record:
    """What a file was when it was first seen."""

    sha256: str
    size: int | None


def record_path(path: Path) -> Path:
    """`reviews.jsonl.gz` -> `reviews.jsonl.gz.sha256`."""
    return path.with_name(path.name + ".sha256")


def read_record(path: Path) -> Record | None:
    """The record of `path`, None where there is none. InputError for one that cannot be read."""
    beside = record_path(path)
    if not beside.is_file():
        return None
    text = beside.read_text(encoding="utf-8", errors="replace")
    digest, size = _DIGEST.search(text), _SIZE.search(text)
    if digest is None:
        raise InputError(f"{beside} holds no SHA-256 line ('<64 hex digits>  {path.name}'): mend or delete it")
    return Record(digest[1], int(size[1]) if size else None)


def write_record(path: Path, record: Record, origin: str) -> None:
    """Record `path` as it was first seen; `origin` says where it came from."""
    with whole_file(record_path(path)) as partial:
        partial.write_text(f"# {record.size} bytes, {origin}\n{record.sha256}  {path.name}\n", encoding="utf-8")


def fingerprint(path: Path) -> Record:
    """Size and SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return Record(digest.hexdigest(), path.stat().st_size)


def check_recorded(path: Path, sha256: str) -> None:
    """Raise InputError when `path`, whose digest is `sha256`, differs from its record (if it has one)."""
    record = read_record(path)
    if record is not None and record.sha256 != sha256:
        raise InputError(
            f"{path} has changed since it was first seen: its SHA-256 is {sha256}, {record_path(path).name} says "
            f"{record.sha256}. Fetch it again, or delete the record if the change is meant."
        )
