"""Size and SHA-256 of raw files, recorded at first sight beside them (`sha256sum -c` reads the record) and enforced."""

import re
from pathlib import Path

from pulse_core.artifacts import whole_file
from pulse_core.errors import InputError

_DIGEST = re.compile(
    r"^[ \t]*(?:(?P<before>[0-9a-f]{64})[ \t]+\*?(?P<name>\S[^\r\n]*?)"
    r"|SHA256[ \t]*\((?P<bsd_name>[^\r\n]+)\)[ \t]*=[ \t]*(?P<after>[0-9a-f]{64})"
    r"|(?P<bare>[0-9a-f]{64}))[ \t\r]*$",
    re.MULTILINE | re.IGNORECASE,
)


def record_path(path: Path) -> Path:
    """`reviews.jsonl.gz` -> `reviews.jsonl.gz.sha256`."""
    return path.with_name(path.name + ".sha256")


def recorded_sha256(path: Path) -> str | None:
    """The recorded SHA-256 of `path`, None without a record. Raises InputError for one that has no digest of the file.

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
    return digests[0]


def write_record(path: Path, sha256: str, size: int, origin: str) -> None:
    """Record `path` as it was first seen; `origin` says where it came from."""
    with whole_file(record_path(path)) as partial:
        partial.write_text(f"# {size} bytes, {origin}\n{sha256}  {path.name}\n", encoding="utf-8")


def check_recorded(path: Path, sha256: str) -> None:
    """Raise InputError when `path`, whose digest is `sha256`, differs from its record (if it has one)."""
    recorded = recorded_sha256(path)
    if recorded is not None and recorded != sha256:
        raise InputError(
            f"{path} does not match its record: its SHA-256 is {sha256}, {record_path(path).name} says "
            f"{recorded}. Fetch it again, or delete the record if the change is meant."
        )
