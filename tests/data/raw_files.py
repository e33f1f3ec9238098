"""Builders of small raw domains, and the location of the real ones."""

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("PULSE_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def real_domain(name: str) -> Path:
    """Folder of a real domain; skips the test if it is missing."""
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"NO REAL DATA: {folder} is missing; set PULSE_REAL_DATA to run this test")
    return folder


def review(user: str, item: str, time: int | None = None, **more: object) -> dict[str, object]:
    """One review with the field names of the 2018 release."""
    record: dict[str, object] = {"reviewerID": user, "asin": item, **more}
    return record if time is None else {**record, "unixReviewTime": time}


def write_lines(path: Path, records: Iterable[object], packed: bool = True) -> Path:
    """Write records as JSON lines; bytes and strings are written verbatim."""
    lines = [r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode() for r in records]
    content = b"".join(line + b"\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return path


def write_domain(folder: Path, reviews: Iterable[object], metadata: Iterable[object]) -> tuple[Path, Path]:
    """Write the reviews and metadata of one domain."""
    return (
        write_lines(folder / "reviews.jsonl.gz", reviews),
        write_lines(folder / "metadata.jsonl.gz", metadata),
    )


def grid(users: int, items: int, start: int = 1000) -> list[dict[str, object]]:
    """Every user reviews every item, one per second; any k-core up to min(users, items) keeps all rows."""
    pairs = [(user, item) for user in range(users) for item in range(items)]
    return [
        review(f"U{user}", f"I{item}", start + 10_000 * user + item, overall=5.0, reviewText=f"text {user} {item}")
        for user, item in pairs
    ]
