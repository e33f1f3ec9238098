"""Artifacts appear whole or not at all: write beside the target, fsync, rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed onto it when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        _fsync(partial)
        partial.replace(path)
        _fsync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_directory(path: str | Path) -> Iterator[Path]:
    """A temporary directory beside `path` that takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield partial
        partial.chmod(0o755)
        for file in partial.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
            _fsync(file)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
        _fsync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_table(path: str | Path, table: pa.Table) -> None:
    """Write a Parquet table (zstd)."""
    with whole_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def write_json(path: str | Path, value: object) -> None:
    """Write indented JSON with sorted keys (NaN becomes null)."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with whole_file(path) as partial:
        partial.write_bytes(orjson.dumps(value, option=options))


def read_json(path: str | Path) -> dict:
    """Read a JSON object."""
    return orjson.loads(Path(path).read_bytes())
