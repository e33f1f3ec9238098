"""Size and SHA-256 of raw files, recorded at first sight beside them (`sha256sum -c` reads the record) and enforced."""

import re
from dataclasses import dataclass
from pathlib import Path

from pulse_core.artifacts import sha256_of, whole_file
from pulse_core.errors import InputError

_SIZE = re.compile(r"^# (\d+) bytes", re.MULTILINE)
_DIGEST = re.compile(
    r"^[ \t]*(?:(?P<before>[0-9a-f]{64})[ \t]+\*?(?P<name>\S[^\r\n]*?)"
    r"|SHA256[ \t]*\((?P<bsd_name>[^\r\n]+)\)[ \t]*=[ \t]*(?P<after>[0-9a-f]{64})"
    r"|(?P<bare>[0-9a-f]{64}))[ \t\r]*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Record:
    """A file's digest and size when it was first seen."""

    sha256: str
    size: int | None


def record_path(path: Path) -> Path:
    """`reviews.jsonl.gz` -> `reviews.jsonl.gz.sha256`."""
    return path.with_name(path.name + ".sha256")


def read_record(path: Path) -> Record | None:
    """The record of `path`, None where there is none. Raises InputError for one without a digest of this file.

    Read are the lines of sha256sum (`<digest>  <file>`) and of BSD (`SHA256 (<file>) = <digest>`), and a bare digest.
    """
    beside = record_path(path)
    if not beside.is_file():
        return None
    text = beside.read_text(encoding="utf-8-sig", errors="replace")
    digests = [
        (match["before"] or match["after"] or match["bare"]).lower()
        for match in _DIGEST.finditer(text)
        if match["bare"] or Path(match["name"] or match["bsd_name"]).name == path.name
    ]
    if len(set(digests)) != 1:
        found = "no SHA-256 line" if not digests else "several digests"
        raise InputError(f"{beside} holds {found} for this file: write '<64 hex digits>  {path.name}' or delete it")
    size = _SIZE.search(text)
    return Record(digests[0], int(size[1]) if size else None)


def write_record(path: Path, record: Record, origin: str) -> None:
    """Record `path` as it was first seen; `origin` says where it came from."""
    with whole_file(record_path(path)) as partial:
        partial.write_text(f"# {record.size} bytes, {origin}\n{record.sha256}  {path.name}\n", encoding="utf-8")


def fingerprint(path: Path) -> Record:
    """Size and SHA-256 of a file, read in blocks."""
    return Record(sha256_of(path), path.stat().st_size)


def check_recorded(path: Path, sha256: str) -> None:
    """Raise InputError when `path`, whose digest is `sha256`, differs from its record (if it has one)."""
    record = read_record(path)
    if record is not None and record.sha256 != sha256:
        raise InputError(
            f"{path} does not match its record: its SHA-256 is {sha256}, {record_path(path).name} says "
            f"{record.sha256}. Fetch it again, or delete the record if the change is meant."
        )
