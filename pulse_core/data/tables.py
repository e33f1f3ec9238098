"""Tables as JSON lines: CSV and TSV, with a header or ratings only, RecBole's atomic files, Parquet."""

import csv
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pulse_core.errors import InputError

log = logging.getLogger("pulse")

ROWS_PER_BLOCK = 8192
DELIMITERS = "\t,;"
MISSING = ("", "nan", "NaN")
MAX_CELL_CHARACTERS = 64 << 20
# `user_id:token` (RecBole): the name and its type.
_TYPED_NAME = re.compile(r"(.+):(token|token_seq|float|float_seq)")
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_AMAZON_ITEM, _AMAZON_USER = re.compile(r"[0-9B][0-9A-Z]{9}"), re.compile(r"A[0-9A-Z]{11,}")


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of one row."""
    return next(csv.reader([line], delimiter=delimiter), [])


def delimiter_of(line: str) -> str | None:
    """The delimiter that splits a table's first line into the most cells, None where none splits it."""
    best = max(DELIMITERS, key=lambda delimiter: len(cells(line, delimiter)))
    return best if len(cells(line, best)) > 1 else None


def column_names(first_lines: list[str], delimiter: str) -> tuple[list[str], bool]:
    """The columns of a table, and whether its first line is a header that names them.

    Without a header, the columns are user, item, rating and time (or the first of these), as in the 2014 release; item
    comes before user, as in the 2018 release, if the ids look like it.
    """
    rows = [cells(line, delimiter) for line in first_lines]
    first = rows[0]
    if not any(_NUMBER.fullmatch(cell) for cell in first[2:4]) or len(first) > 4:
        typed = [_TYPED_NAME.fullmatch(cell) for cell in first]
        return [match[1] if match else cell.strip() for match, cell in zip(typed, first, strict=True)], True
    names = ["user_id", "item_id", "rating", "timestamp"]
    if all(_AMAZON_ITEM.fullmatch(row[0]) and _AMAZON_USER.fullmatch(row[1]) for row in rows if len(row) > 1):
        names[:2] = ["item_id", "user_id"]
    return names[: len(first)], False


def delimited_lines(path: Path, blocks: Iterable[bytes], head: str) -> Iterator[bytes]:
    """A CSV or TSV file as blocks of JSON lines, each at its row's own line number; `head` holds its first lines."""
    first_lines = head.splitlines()[:20]
    delimiter = delimiter_of(first_lines[0]) or ","
    names, has_header = column_names(first_lines, delimiter)
    if not has_header:
        log.info("%s has no header: its columns are read as %s", path, ", ".join(names))
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(_text_lines(path, blocks), delimiter=delimiter)
    lines, number = [], 0  # number of lines written so far
    try:
        for row in reader:
            if has_header and not number:
                line = b""
            elif len(row) in (0, len(names)):
                record = {name: cell for name, cell in zip(names, row, strict=False) if cell not in MISSING}
                line = orjson.dumps(record) if row else b""
            else:
                fault = f"{len(row)} cells instead of {len(names)}: {delimiter.join(row)}"
                line = orjson.dumps(fault[:200])  # not an object, so it is counted as malformed and quoted
            lines.append(b"\n" * (reader.line_num - number - 1) + line)  # a quoted cell may span lines
            number = reader.line_num
            if len(lines) == ROWS_PER_BLOCK:
                yield b"\n".join(lines)
                lines = []
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from None
    if lines:
        yield b"\n".join(lines)


def _text_lines(path: Path, blocks: Iterable[bytes]) -> Iterator[str]:
    lines = (line for block in blocks for line in block.split(b"\n"))
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode() + "\n"
        except UnicodeDecodeError:
            raise InputError(f"{path}, line {number} is not UTF-8: {latin_1_advice(path)}") from None


def latin_1_advice(path: Path) -> str:
    """How to convert a file in another encoding."""
    return f"if it is Latin-1 (Windows), convert it: iconv -f CP1252 -t UTF-8 {path.name} > new (after any gzip -d)"


def parquet_lines(path: Path, digest: "hashlib._Hash | None") -> Iterator[bytes]:
    """A Parquet file as blocks of JSON lines, in batches of rows; times as milliseconds."""
    try:
        if digest is not None:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(ROWS_PER_BLOCK):
                columns = [_plain_column(column) for column in batch.columns]
                rows = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
                yield b"\n".join(orjson.dumps(row, default=str) for row in rows)
    except (pa.ArrowException, ArithmeticError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}): write it again") from None


def _plain_column(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return pc.cast(pc.cast(column, pa.timestamp("ms"), safe=False), pa.int64())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):  # text, as some writers store it
        return pc.cast(column, pa.string())
    return column
