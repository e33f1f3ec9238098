"""Atomic writes (write beside the target, fsync, rename), and the name of the corpus in each artifact."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

CORPUS = "corpus"
_corpus: ContextVar[str | None] = ContextVar(CORPUS, default=None)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _place(path: Path) -> dict[str, Any]:
    """Where the temporary file of `path` goes, after what its killed writers left there is deleted (the job's lock
    ensures that nothing else writes it now). `.a.json.x.<random>.part` belongs to `a.json.x`, not to `a.json`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = re.compile(re.escape(f".{path.name}.") + r"[^.]+\.part")
    for file in path.parent.iterdir():
        if left.fullmatch(file.name):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink()
    return {"dir": path.parent, "prefix": f".{path.name}.", "suffix": ".part"}


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed onto it when the block ends without an error."""
    path = Path(path)
    descriptor, name = tempfile.mkstemp(**_place(path))
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
    """A temporary directory beside `path` that replaces it when the block ends without an error."""
    path = Path(path)
    partial = Path(tempfile.mkdtemp(**_place(path)))
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


@contextmanager
def of_corpus(name: str | None) -> Iterator[None]:
    """Mark every table and JSON object written in the block with `corpus: <name>`; None leaves them unmarked."""
    token = _corpus.set(name)
    try:
        yield
    finally:
        _corpus.reset(token)


def corpus_of(path: str | Path) -> str | None:
    """The corpus named in a Parquet file's metadata, if any."""
    name = (pq.read_schema(path).metadata or {}).get(CORPUS.encode())
    return name.decode() if name else None


def marked(schema: pa.Schema) -> pa.Schema:
    """`schema` with the name given to the enclosing `of_corpus` in its metadata."""
    name = _corpus.get()
    return schema.with_metadata({**(schema.metadata or {}), CORPUS: name}) if name else schema


def write_table(path: str | Path, table: pa.Table) -> None:
    """Write a Parquet table (zstd)."""
    with whole_file(path) as partial:
        pq.write_table(table.replace_schema_metadata(marked(table.schema).metadata), partial, compression="zstd")


def write_json(path: str | Path, value: object) -> None:
    """Write indented JSON with sorted keys (NaN becomes null)."""
    name = _corpus.get()
    if name and isinstance(value, dict):
        value = {CORPUS: name, **value}
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with whole_file(path) as partial:
        partial.write_bytes(orjson.dumps(value, option=options))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str | Path) -> dict:
    """Read a JSON object."""
    return orjson.loads(Path(path).read_bytes())
