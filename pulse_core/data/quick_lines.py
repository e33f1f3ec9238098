"""Decodes lines that are as their release means them straight into typed records; the rest go the plain way.

A quick decoder skips the keys it has no field for, and refuses a line that raw_reader's functions would refuse or treat in
a way of their own: another type, a key of the other release, an empty id, a time before 1970. Who reads the refused lines
with those functions has the rows, counts and messages of reading every line with them. The decoders don't look at the
encoding of what they skip, so a block that is no UTF-8 is not for them. (A number too large for a float, under a key that
nobody reads, is the one thing they let pass and the plain way doesn't.)
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, NoReturn, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.json import Decoder

NO_TIME = -(1 << 63)  # the least int64
Identifier = Annotated[str, Meta(min_length=1)]
Time = Annotated[int, Meta(ge=0, lt=100_000_000_000_000)]  # seconds or milliseconds: to be told apart later
Absent = UnsetType  # no JSON value is of this type: the key must not be there


class Row(Struct, gc=False):
    """Who reviewed what, with how many stars (NaN: none) and when (NO_TIME: unknown)."""

    user: str
    item: str
    rating: float
    time: int


class Row2018(Struct, gc=False):
    """A Row in the names of the 2018 release."""

    user: Identifier = field(name="reviewerID")
    item: Identifier = field(name="asin")
    rating: float = field(name="overall", default=math.nan)
    time: Time = field(name="unixReviewTime", default=NO_TIME)
    other_item: Absent = field(name="parent_asin", default=UNSET)
    other_rating: Absent = field(name="rating", default=UNSET)
    other_time: Absent = field(name="timestamp", default=UNSET)


class Row2023(Struct, gc=False):
    """A Row in the names of the 2023 release."""

    user: Identifier = field(name="user_id")
    item: Identifier = field(name="parent_asin")
    rating: float = field(name="rating", default=math.nan)
    time: Time = field(name="timestamp", default=NO_TIME)
    other_user: Absent = field(name="reviewerID", default=UNSET)
    other_rating: Absent = field(name="overall", default=UNSET)
    other_time: Absent = field(name="unixReviewTime", default=UNSET)


class Words(Struct, gc=False):
    """A review's headline and text as they stand."""

    summary: str
    text: str


class Words2018(Struct, gc=False):
    """Words in the names of the 2018 release."""

    summary: str = ""
    text: str = field(name="reviewText", default="")
    other_summary: Absent = field(name="title", default=UNSET)
    other_text: Absent = field(name="text", default=UNSET)


class Words2023(Struct, gc=False):
    """Words in the names of the 2023 release."""

    summary: str = field(name="title", default="")
    text: str = ""
    other_summary: Absent = field(name="summary", default=UNSET)
    other_text: Absent = field(name="reviewText", default=UNSET)


T = TypeVar("T")


class QuickLines(Generic[T]):
    """Decodes lines into the first of `kinds` that fits; the kind of the last line is tried first. None: all go plain."""

    def __init__(self, *kinds: type[T]) -> None:
        self._decoders: list[Callable[[bytes], T]] = [Decoder(kind).decode for kind in kinds] or [_refuse]

    def decode(self, lines: Sequence[bytes], plain: Callable[[int, bytes], T | None]) -> tuple[list[T], list[int]]:
        """The records of the lines, and the positions of the lines that hold none.

        plain(position, line): called for the lines that no quick decoder takes, in their order.
        """
        records: list[T] = []
        without: list[int] = []
        quick = self._decoders[0]
        for position, line in enumerate(lines):
            try:
                records.append(quick(line))
            except (ValueError, RecursionError):
                record = self._other(line)
                quick = self._decoders[0]
                if record is None and (record := plain(position, line)) is None:
                    without.append(position)
                else:
                    records.append(record)
        return records, without

    def _other(self, line: bytes) -> T | None:
        for place in range(1, len(self._decoders)):
            try:
                record = self._decoders[place](line)
            except (ValueError, RecursionError):
                continue
            self._decoders.insert(0, self._decoders.pop(place))
            return record
        return None


def _refuse(line: bytes) -> NoReturn:
    raise ValueError("for the plain way")


def is_utf8(block: bytes) -> bool:
    """Whether the block's bytes are UTF-8 text."""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
