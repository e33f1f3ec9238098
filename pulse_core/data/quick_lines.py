"""Parses whole blocks of lines in C (msgspec, which builds the keys that are asked for and skips the rest).

msgspec differs from the plain way (raw_reader's functions, line by line) where a dump is dirty, so what could come out
differently is never taken from it: a line that does not begin with "{" and end with "}", one that is no UTF-8,
anything of another type than expected. Those lines are named, for the plain way to read. (One difference is left: an
integer of thousands of digits under a key that nobody reads is malformed to the plain way alone.)
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

# A number beyond these is no int64.
_INTEGER = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_TYPES: dict[pa.DataType, Any] = {pa.string(): str, pa.float64(): float, pa.int64(): _INTEGER}


@dataclass(frozen=True)
class Key:
    """One column: the first of `names` under which a record has a value other than null."""

    names: tuple[str, ...]
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


@cache
def _decoder(keys: tuple[Key, ...]) -> msgspec.json.Decoder:
    """Of lines to records whose attributes are the keys' names, UNSET where a line has no such key."""
    types = {name: _TYPES[key.type] for key in keys for name in key.names}
    fields = [(name, type_ | None | UnsetType, UNSET) for name, type_ in types.items()]
    return msgspec.json.Decoder(msgspec.defstruct("Line", fields, gc=False))


def parse_block(block: bytes, keys: Sequence[Key]) -> ParsedBlock:
    """Parse a block of whole lines, without the last line's end."""
    starts = line_starts(block)
    decoder = _decoder(tuple(keys))
    records, odd = _whole(block, starts, decoder), np.empty(0, np.int64)
    if records is None:
        found = [_record(line, decoder) for line in block.split(b"\n")]
        odd = np.array([position for position, record in enumerate(found) if record is None], dtype=np.int64)
        records = [record for record in found if record is not None]
    positions = np.delete(np.arange(len(starts) - 1), odd)
    return ParsedBlock([_column(records, key) for key in keys], positions, odd, starts)


def _whole(block: bytes, starts: NDArray[np.int64], decoder: msgspec.json.Decoder) -> list[Any] | None:
    """The records of all lines; None for a block that has any odd line.

    Every line begins with "{" and ends with "}": between the two no JSON text can go on from one line to the next, so
    as many records as lines means one record a line.
    """
    content = np.frombuffer(block or b"\n", np.uint8)
    begins, ends = np.minimum(starts[:-1], len(content) - 1), starts[1:] - 2
    if not ((ends > begins) & (content[begins] == ord("{")) & (content[ends] == ord("}"))).all():
        return None
    if not is_utf8(block):
        return None
    try:
        records = decoder.decode_lines(block)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return records if len(records) == len(begins) else None


def _record(line: bytes, decoder: msgspec.json.Decoder) -> Any:
    """One line's record; None for an odd one."""
    if not (line.startswith(b"{") and line.endswith(b"}") and is_utf8(line)):
        return None
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _column(records: list[Any], key: Key) -> pa.Array:
    """The records' values of a key."""
    values: list[Any] = list(map(attrgetter(key.names[0]), records))
    for name in key.names[1:]:
        with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError):  # UNSET is among them
            column = pa.array(values, key.type)
            if not column.null_count:
                return column
        others = map(attrgetter(name), records)
        values = [o if v is None or v is UNSET else v for v, o in zip(values, others, strict=True)]
    return pa.array([None if value is UNSET else value for value in values], key.type)
