"""Parses JSON lines with msgspec, which builds only the fields asked for and skips the rest of a line.

Lines that msgspec refuses but that have one meaning are repaired: NaN and Infinity (what Python's json and pandas
write) are null, lone surrogates become U+FFFD, and Python literals (the 2014 release) are evaluated safely.
"""

import ast
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

NOT_UTF8 = "not UTF-8"
Record = dict[str, Any]  # one line's object
_Scalar = str | int | float | None
_REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Field:
    """A value of a line: the first of `names` with a value other than null (or "", unless it `is_text`)."""

    names: tuple[str, ...]
    is_text: bool = False  # whether any JSON value is taken, not only a string or a number


@dataclass(frozen=True)
class ParsedLines:
    """The fields of some lines."""

    columns: list[list[Any]]  # the values of each field, (rows,), None where a line has none
    positions: NDArray[np.int64]  # (rows,) increasing: each row's line; blank lines are not rows
    faults: list[tuple[int, str]]  # position and fault of each line that cannot be parsed, increasing
    block: bytes
    line_count: int  # counting again with bytes.count would take half as long as parsing

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines themselves, blank ones included; split when first needed."""
        return self.block.split(b"\n")


def parse_lines(block: bytes, fields: tuple[Field, ...]) -> ParsedLines:
    """Parse each line of `block` as one object."""
    line_type, names = _line_type(fields)
    decoder = msgspec.json.Decoder(line_type)
    starts = line_starts(block)
    unused, faults = [], []
    try:
        records = decoder.decode_lines(block)
    except _REFUSED:
        records = []
    # decode_lines does not look at where lines end: it skips blank ones and takes two objects from one.
    if len(records) != len(starts) or (np.frombuffer(block, np.uint8)[starts] != ord("{")).any():
        records = []
        for position, line in enumerate(block.split(b"\n")):
            try:
                if (record := _parsed(line, decoder.decode, line_type)) is not None:
                    records.append(record)
                    continue
            except ValueError as error:
                faults.append((position, str(error)))
            unused.append(position)
    columns = [_first_values(records, [names[name] for name in field.names], field.is_text) for field in fields]
    return ParsedLines(columns, np.delete(np.arange(len(starts)), unused), faults, block, len(starts))


def line_starts(block: bytes) -> NDArray[np.int64]:
    """Where each line of `block` starts, (lines,)."""
    return np.append(0, np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1)


def parse_object(line: bytes) -> Record:
    """All fields of one line. Raises ValueError for anything but an object."""
    try:
        record = msgspec.json.decode(line)
    except _REFUSED as error:
        record = _repaired(line, error)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8 text."""
    if text.isascii():  # twice as fast to find out as to decode
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def _line_type(fields: tuple[Field, ...]) -> tuple[type[msgspec.Struct], dict[str, str]]:
    """A struct of all names that the fields may have in the file, and its attribute for each name."""
    types: dict[str, Any] = {name: Any if field.is_text else _Scalar for field in fields for name in field.names}
    names = {name: f"f{number}" for number, name in enumerate(types)}
    members = [(names[name], type_, None) for name, type_ in types.items()]
    rename = {attribute: name for name, attribute in names.items()}
    return msgspec.defstruct("Line", members, rename=rename, gc=False), names


def _parsed(line: bytes, decode: Callable[[bytes], Any], line_type: type[msgspec.Struct]) -> Any:
    """One line's record, None for a blank line; ValueError for anything else."""
    if not line or line.isspace():
        return None
    try:
        return decode(line)
    except _REFUSED as error:
        try:
            return msgspec.convert(_repaired(line, error), line_type)
        except msgspec.ValidationError as fault:
            raise ValueError(_why(fault)) from None


def _why(error: Exception) -> str:
    if str(error).startswith("Expected `object`"):
        return "not a JSON object"
    return str(error).replace("JSON is malformed", "not JSON")


def _first_values(records: list[Any], attributes: list[str], is_text: bool) -> list[Any]:
    values = list(map(attrgetter(attributes[0]), records))
    for attribute in attributes[1:]:
        if None not in values and (is_text or "" not in values):
            break
        others = list(map(attrgetter(attribute), records))
        if values.count(None) == len(values):
            values = others
        else:
            missing = (None,) if is_text else (None, "")
            values = [other if value in missing else value for value, other in zip(values, others, strict=True)]
    return values


def _repaired(line: bytes, error: Exception) -> Any:
    """The meaning of a line that msgspec refuses; ValueError where it has none."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(NOT_UTF8) from None
    try:
        if text.startswith("{'"):
            with warnings.catch_warnings(action="ignore"):
                return _whole_characters(ast.literal_eval(text))
        return _whole_characters(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(_why(error)) from None


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(part) for part in value]
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(part) for key, part in value.items()}
    return value
