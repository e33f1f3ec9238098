"""Streams McAuley JSON lines: gzip or plain, names of the 2018 and the 2023 release, bad lines counted and quoted."""

import hashlib
import json
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from isal import isal_zlib  # zlib's interface, at two to three times its speed

from pulse_core.data.ahead import ahead
from pulse_core.errors import InputError
from pulse_core.progress import progress

log = logging.getLogger("pulse")

READ_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 2 << 20  # of one step: bounds memory however well the file compresses
BLOCKS_AHEAD = 4
MAX_LINE_BYTES = 64 << 20
GZIP_MAGIC = b"\x1f\x8b"
# Later than any date in seconds, earlier than any since 1974 in milliseconds: the 2023 release counts milliseconds.
FIRST_MILLISECONDS = 100_000_000_000
Record = dict[str, Any]  # one line's JSON object
# The keys of a value in order of preference: the 2018 and the 2023 release, the publisher's quick start of 2023.
USER_KEYS = ("reviewerID", "user_id")
ITEM_KEYS = ("parent_asin", "asin")
RATING_KEYS = ("overall", "rating")
TIME_KEYS = ("unixReviewTime", "timestamp", "sort_timestamp")
SUMMARY_KEYS = ("summary", "title")
TEXT_KEYS = ("reviewText", "text")
DAY_KEY = "reviewTime"
DAY = re.compile(r"(\d{1,2}) (\d{1,2}), (\d{4})")  # month, day, year
TIME_NAME = re.compile(r"time|date|stamp|created|posted", re.IGNORECASE)
TIME_VALUE = re.compile(r"\d{8}|\b(?:19|20)\d\d\b|\d+[/.-]\d+[/.-]\d+")
RAW_SUFFIXES = (".jsonl.gz", ".jsonl", ".json.gz", ".json")


@dataclass
class Malformed:
    """Counts the lines of one file that cannot be used and quotes the first few in the log."""

    path: Path
    quoted_lines: int
    lines: int = 0
    count: int = 0
    first: list[int] = field(default_factory=list)
    advice: str = ""
    """What else to say when there are too many."""

    def add(self, number: int, line: bytes, why: str) -> None:
        """Line `number` (1-based) cannot be used."""
        self.count += 1
        if len(self.first) < self.quoted_lines:
            self.first.append(number)
            quote = line[:160].decode("utf-8", "replace").strip()
            log.warning("%s, line %d is malformed (%s): %s", self.path, number, why, quote)

    def check(self, max_share: float) -> None:
        """Raise InputError when more than `max_share` of the lines read so far were malformed."""
        if self.count > max_share * self.lines:
            numbers = ", ".join(map(str, self.first))
            raise InputError(
                f"{self.path}: {self.count} of {self.lines} lines are malformed ({self.count / self.lines:.1%}; "
                f"corpus.max_malformed_share allows {max_share:.1%}). First at line {numbers}. "
                "Expected: one JSON object a line, in the field names of the McAuley 2018 or 2023 release."
                + self.advice
            )
        if self.count > len(self.first):
            log.warning("%s: %d malformed lines in all", self.path, self.count)


def find_raw(folder: Path, name: str) -> Path:
    """The raw file `name` ("reviews" or "metadata") in `folder`, whichever of the known suffixes it has."""
    for suffix in RAW_SUFFIXES:
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    return folder / f"{name}{RAW_SUFFIXES[0]}"


def _raw_blocks(path: Path, digest: "hashlib._Hash | None") -> Iterator[bytes]:
    """The file as it lies on disk. Progress counts its blocks: how many lines are packed in it, nobody knows before."""
    try:
        blocks = math.ceil(path.stat().st_size / READ_BYTES)
        with path.open("rb", buffering=0) as file, progress(f"reading {path}", blocks, "MiB") as meter:
            while block := file.read(READ_BYTES):
                if digest is not None:
                    digest.update(block)
                yield block
                meter.advance()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def unpacked_blocks(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The file's content in blocks of bounded size; gzip (any number of members) is told by its first bytes.

    `digest` is fed the file's bytes as they lie on disk. A damaged or cut-off gzip file raises InputError.
    """
    gzipped: bool | None = None
    inflate = isal_zlib.decompressobj(31)
    for block in _raw_blocks(path, digest):
        if gzipped is None:
            gzipped = block.startswith(GZIP_MAGIC)
        if not gzipped:
            yield block
            continue
        try:
            more = True
            while more:
                if inflate.eof:  # a further member, or the zero padding that some tools leave at the end
                    block = block.lstrip(b"\0")
                    if not block:
                        break
                    inflate = isal_zlib.decompressobj(31)
                if unpacked := inflate.decompress(block, MAX_UNPACKED_BYTES):
                    yield unpacked
                block = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                # A full step may leave more inside the inflater even where it took all of the block.
                more = bool(block) or len(unpacked) == MAX_UNPACKED_BYTES
        except isal_zlib.error as error:  # type: ignore[misc] # its stubs take the class for an instance
            raise InputError(f"{path} is damaged ({error}): delete it and fetch it again") from error
    if gzipped and not inflate.eof:
        raise InputError(f"{path} ends in the middle (a download that was cut off?): delete it and fetch it again")


def line_blocks(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The file's content in blocks that end where a line ends, read and unpacked in a thread beside the caller's."""
    rest: list[bytes] = []  # of a line that has not ended yet
    size = 0
    first = True
    for block in ahead(unpacked_blocks(path, digest), BLOCKS_AHEAD):
        if first:
            block = block.removeprefix(b"\xef\xbb\xbf")
            first = False
        if end := block.rfind(b"\n") + 1:
            yield b"".join([*rest, memoryview(block)[: end - 1]])
            rest, size = [], 0
        rest.append(block[end:])
        size += len(block) - end
        if size > MAX_LINE_BYTES:
            raise InputError(f"{path} has a line of over {MAX_LINE_BYTES >> 20} MiB: it does not hold JSON lines")
    if size:
        yield b"".join(rest)


def line_batches(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[list[bytes]]:
    """The file's lines, many at a time, without their ends; blank lines stay, so that positions are line numbers."""
    for block in line_blocks(path, digest):
        yield block.split(b"\n")


def parse_object(line: bytes) -> Record:
    """One line's JSON object; ValueError for anything else.

    Halves of a character (an emoji that some page cut in two) become U+FFFD; a number beyond a float's is infinite.
    """
    try:
        record = orjson.loads(line)
    except ValueError as error:
        record = _parse_leniently(line, error)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def _parse_leniently(line: bytes, error: ValueError) -> object:
    try:
        return _whole_characters(json.loads(line.decode(), parse_constant=_no_constant))
    except (ValueError, RecursionError):
        raise error from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(each) for each in value]
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(each) for key, each in value.items()}
    return value


def value_of(record: Record, keys: Sequence[str]) -> Any:
    """The first value under `keys` that is there: null and "" give way to the next key."""
    # Not `or`: the number 0 is an id.
    return next((value for key in keys if (value := record.get(key)) is not None and value != ""), None)


def item_id_of(record: Record) -> str:
    """The item's id, in the 2023 release the parent's, which its metadata use. ValueError without one."""
    return _identifier(value_of(record, ITEM_KEYS), "item (asin)")


def user_id_of(record: Record) -> str:
    """The user's id; ValueError without one."""
    return _identifier(value_of(record, USER_KEYS), "user")


def _identifier(value: object, what: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"no {what} id")


def rating_of(record: Record) -> float:
    """The rating in stars, NaN where it is missing; ValueError for anything but a number."""
    value = value_of(record, RATING_KEYS)
    return math.nan if value is None else _number(value, "rating")


def time_of(record: Record) -> int | None:
    """Milliseconds since 1970 (UTC), None where the record has no time; ValueError for an unreadable one.

    Numbers count seconds or, in the 2023 release, milliseconds. `reviewTime` ("01 5, 2014") is read where there is no
    number.
    """
    value = value_of(record, (*TIME_KEYS, DAY_KEY))
    if value is None:
        return None
    if isinstance(value, str) and (day := DAY.fullmatch(value.strip())):
        month, day_of_month, year = map(int, day.groups())
        return int(datetime(year, month, day_of_month, tzinfo=UTC).timestamp()) * 1000
    number = value if type(value) is int else _number(value, "time")
    milliseconds = int(number * 1000) if abs(number) < FIRST_MILLISECONDS else int(number)
    if abs(milliseconds) >= FIRST_MILLISECONDS * 1000:
        raise ValueError(f"impossible time {value}")
    return milliseconds


def unread_time(record: Record) -> str | None:
    """A key of the record that is not read but looks like a time, quoted with its value."""
    for key, value in record.items():
        if TIME_NAME.search(key) and key not in (*TIME_KEYS, DAY_KEY) and TIME_VALUE.search(str(value)):
            return f"{key}: {value!r}"[:80]
    return None


def _number(value: object, what: str) -> float:
    if type(value) is float and math.isfinite(value):  # nearly every row
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{what} is not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{what} is not a number")
    return number


def summary_of(record: Record) -> object:
    """The review's headline as it stands (2018 `summary`, 2023 `title`)."""
    return _not_null(record, SUMMARY_KEYS)


def text_of(record: Record) -> object:
    """The review's text as it stands (2018 `reviewText`, 2023 `text`)."""
    return _not_null(record, TEXT_KEYS)


def _not_null(record: Record, keys: Sequence[str]) -> object:
    return next((value for key in keys if (value := record.get(key)) is not None), None)
