"""Parses whole blocks of lines in C (Arrow's JSON reader), leaving out every line that is not as its release means it.

Arrow differs from the plain way (raw_reader's functions, line by line) where a dump is dirty, so what could come out
differently is never taken from it: a line that does not begin with "{" and end with "}", a bare NaN or Infinity, a
block that holds anything of another type than expected or is no UTF-8, a null that might have been written or be left
out. Those lines are named, for the plain way to read. (One difference is left: an integer of over 300 digits under a
key that nobody reads is malformed to the plain way alone.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
from numpy.typing import NDArray

_STRIDE = 1 << 16  # bytes looked at together: they and what is made of them stay in the processor's cache
_WINDOW = 64  # bytes before a NaN or Infinity that tell a bare one from a word in a text


@dataclass(frozen=True)
class Key:
    """Where a value stands: under `name`, or where a record has no such key, under `other`."""

    name: str
    other: str
    type: pa.DataType


@dataclass(frozen=True)
class ParsedBlock:
    """What a block's lines hold."""

    columns: list[pa.Array]
    """One a key, null where a record has no value: (rows,)."""
    positions: NDArray[np.int64]
    """(rows,) increasing: each row's line in the block."""
    odd: NDArray[np.int64]
    """Increasing: the lines that the plain way has to read, blank ones among them."""
    starts: NDArray[np.int64]
    """(lines + 1,) as line_starts gives them."""

    def line(self, block: bytes, position: int) -> bytes:
        """A line of the block that was parsed, without its end."""
        return block[self.starts[position] : self.starts[position + 1] - 1]

    def without(self, rows: NDArray[np.bool_]) -> "ParsedBlock":
        """The lines of `rows`, a mask, are odd as well."""
        if not rows.any():
            return self
        columns = [column.filter(pa.array(~rows)) for column in self.columns]
        odd = np.sort(np.concatenate([self.odd, self.positions[rows]]))
        return ParsedBlock(columns, self.positions[~rows], odd, self.starts)

    def joined(self, rows: Sequence[tuple[Any, ...]]) -> "ParsedBlock":
        """With rows that the plain way has read: (position, value, value ...), a value a key."""
        if not rows:
            return self
        places, *values = zip(*rows, strict=True)
        positions = np.concatenate([self.positions, places])
        order = np.argsort(positions, kind="stable")
        columns = [
            pa.concat_arrays([column, pa.array(more, column.type)]).take(pa.array(order))
            for column, more in zip(self.columns, values, strict=True)
        ]
        return ParsedBlock(columns, positions[order], np.empty(0, np.int64), self.starts)


def mask_of(values: pa.BooleanArray) -> NDArray[np.bool_]:
    """A mask without nulls as a numpy array."""
    return values.to_numpy(zero_copy_only=False)


def is_utf8(block: bytes) -> bool:
    """Whether the block's bytes are UTF-8 text."""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def line_starts(block: bytes) -> NDArray[np.int64]:
    """Where each line begins, and one behind where a line end after the last would stand: line n is
    `block[starts[n] : starts[n + 1] - 1]`."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    return np.concatenate([[0], ends + 1, [len(block) + 1]])


def parse_block(block: bytes, keys: Sequence[Key]) -> ParsedBlock:
    """Parse a block of whole lines, without the last line's end."""
    starts = line_starts(block)
    odd = _odd_lines(block, starts)
    table = _parse(block, starts, np.flatnonzero(odd), keys) if is_utf8(block) else None
    positions = np.flatnonzero(~odd)
    if table is None or table.num_rows != len(positions):
        empty: list[pa.Array] = [pa.array([], key.type) for key in keys]
        return ParsedBlock(empty, np.empty(0, np.int64), np.arange(len(odd)), starts)
    columns, unclear = [], np.zeros(len(positions), dtype=bool)
    for key in keys:
        first, second = (table[name].combine_chunks() for name in (key.name, key.other))
        if second.null_count == len(second):
            columns.append(first)
        elif f'"{key.name}"'.encode() not in block:
            columns.append(second)
        else:  # a null under `name` counts, a missing one gives way to `other`: Arrow does not tell which it was
            columns.append(first)
            unclear |= mask_of(first.is_null()) & mask_of(second.is_valid())
    return ParsedBlock(columns, positions, np.flatnonzero(odd), starts).without(unclear)


def _odd_lines(block: bytes, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(lines,) which lines don't look like one object, or may hold a number that JSON has not."""
    content = np.frombuffer(block or b"\n", np.uint8)
    begins, ends = np.minimum(starts[:-1], len(content) - 1), starts[1:] - 2
    odd = (ends <= begins) | (content[begins] != ord("{")) | (content[ends] != ord("}"))
    for place in _bare_numbers(block, content):
        odd[np.searchsorted(starts, place, side="right") - 1] = True
    return odd


def _bare_numbers(block: bytes, content: NDArray[np.uint8]) -> Iterator[int]:
    """Where a NaN or Infinity stands that may be no word of a text."""
    for start in range(0, len(content) - 2, _STRIDE):
        first, third = content[start : start + _STRIDE][: len(content) - 2 - start], content[start + 2 :][:_STRIDE]
        likely = ((first == ord("N")) & (third == ord("N"))) | ((first == ord("I")) & (third == ord("f")))
        if not likely.any():
            continue
        for place in (start + np.flatnonzero(likely)).tolist():
            if block[place : place + 3] in (b"NaN", b"Inf"):
                before = block[max(place - _WINDOW, 0) : place].rstrip(b" \t\r-")
                if not before or before[-1:] in b":,[":
                    yield place


def _parse(block: bytes, starts: NDArray[np.int64], odd: NDArray[np.int64], keys: Sequence[Key]) -> pa.Table | None:
    """The table of all lines but the odd ones; None for a block that Arrow does not take.

    Every line parsed begins with "{" and ends with "}": no JSON text can go on from a "}" to a "{" over a line end, so
    as many rows as lines means one row a line.
    """
    if len(odd):
        blanked = bytearray(block)
        for start, end in zip(starts[odd].tolist(), (starts[odd + 1] - 1).tolist(), strict=True):
            blanked[start:end] = b" " * (end - start)
        block = bytes(blanked)
    fields: dict[str, Any] = {name: key.type for key in keys for name in (key.name, key.other)}
    try:
        return pyarrow.json.read_json(
            pa.BufferReader(block),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(list(fields.items())), unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
