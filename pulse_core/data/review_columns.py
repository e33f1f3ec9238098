"""First pass over the reviews: keeps numeric columns only, so memory grows with rows, not with texts."""

import hashlib
import itertools
import logging
import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pulse_core.data.formats import line_blocks
from pulse_core.data.json_lines import NOT_UTF8, Field, ParsedLines, is_utf8, parse_lines, parse_object
from pulse_core.data.raw_reader import (
    FIRST_MILLISECONDS,
    Malformed,
    fields_of,
    identifier,
    rating_of,
    time_of,
    unread_time,
)
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError

log = logging.getLogger("pulse")
NO_TIME = -(1 << 63)  # the smallest int64
LOWEST_RATING, HIGHEST_RATING = 1, 5
ROWS_PER_DICTIONARY = 1 << 19


@dataclass(frozen=True)
class ReviewColumns:
    """Every usable row of a review dump, in file order; arrays are (rows,)."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]  # NaN where missing
    milliseconds: NDArray[np.int64] | None  # since 1970; None for a dump in which no row has a time
    rows: NDArray[np.int64]  # 0-based line in the raw file
    user_names: pa.Array  # ids by code, in order of first appearance
    item_names: pa.Array
    lines: int
    malformed: int
    out_of_range: int  # ratings beyond 1 to 5, taken as missing
    sha256: str

    def __len__(self) -> int:
        return len(self.users)

    def take(self, chosen: NDArray[Any]) -> "ReviewColumns":
        """The chosen rows (positions or mask); ids and counts stay."""
        columns = {name: column for name, column in vars(self).items() if isinstance(column, np.ndarray)}
        return replace(self, **{name: column[chosen] for name, column in columns.items()})


@dataclass(frozen=True)
class _Rows:
    """The usable rows of one block; arrays are (rows,)."""

    users: pa.Array
    items: pa.Array
    stars: NDArray[np.float64]
    milliseconds: NDArray[np.int64]
    positions: NDArray[np.int64]


class _Columns:
    """Collects the columns, one block of lines at a time."""

    def __init__(self, malformed: Malformed, fields: tuple[Field, ...]) -> None:
        self.malformed, self.fields = malformed, fields
        self.users, self.items = _Codes(), _Codes()
        self.ratings = [np.empty(0, np.float32)]
        self.milliseconds, self.rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        self.out_of_range = 0
        self.timeless: list[tuple[int, bytes]] = []  # the first rows without a time, quoted if others have one
        self.unread_time = ""
        self._lines_before = 0

    def add(self, block: bytes) -> None:
        parsed = parse_lines(block, self.fields)
        if not is_utf8(block):  # msgspec does not check the fields it skips
            parsed = _without_other_encodings(parsed)
        rows = _usual_rows(parsed) or self._unusual_rows(parsed)
        for position, why in sorted(parsed.faults):
            self.malformed.add(self._lines_before + position + 1, parsed.lines[position], why)
        self.users.add(rows.users)
        self.items.add(rows.items)
        in_range = (rows.stars >= LOWEST_RATING) & (rows.stars <= HIGHEST_RATING)
        self.out_of_range += int((~in_range & ~np.isnan(rows.stars)).sum())
        self.ratings.append(np.where(in_range, rows.stars, np.nan).astype(np.float32))
        self.milliseconds.append(rows.milliseconds)
        self.rows.append(rows.positions + self._lines_before)
        self.malformed.lines += len(rows.positions) + len(parsed.faults)
        if (missing := self.malformed.quoted_lines - len(self.timeless)) > 0:
            for position in rows.positions[rows.milliseconds == NO_TIME][:missing].tolist():
                self.timeless.append((self._lines_before + position + 1, parsed.lines[position]))
        self._lines_before += parsed.line_count

    def _unusual_rows(self, parsed: ParsedLines) -> _Rows:
        """The rows of a block, value by value; appends those that cannot be used to its faults."""
        rows = []
        for position, user, item, rating, time in zip(parsed.positions.tolist(), *parsed.columns, strict=True):
            try:
                ids = identifier(user, "user"), identifier(item, "item (asin)")
                number, milliseconds = rating_of(rating), time_of(time)
            except ValueError as error:
                parsed.faults.append((position, str(error)))
                continue
            rows.append((*ids, number, NO_TIME if milliseconds is None else milliseconds, position))
            if milliseconds is None and not self.unread_time:
                key = unread_time(parse_object(parsed.lines[position]), self.fields[3].names)
                self.unread_time = f"line {self._lines_before + position + 1} has {key}" if key else ""
        users, items, stars, times, positions = zip(*rows, strict=True) if rows else ((),) * 5
        ids = pa.array(users, pa.string()), pa.array(items, pa.string())
        return _Rows(*ids, np.array(stars, float), np.array(times, np.int64), np.array(positions, np.int64))


def _without_other_encodings(parsed: ParsedLines) -> ParsedLines:
    kept = np.array([is_utf8(parsed.lines[position]) for position in parsed.positions.tolist()], bool)
    columns = [list(itertools.compress(column, kept)) for column in parsed.columns]
    faults = [*parsed.faults, *((position, NOT_UTF8) for position in parsed.positions[~kept].tolist())]
    return replace(parsed, columns=columns, positions=parsed.positions[kept], faults=faults)


def _usual_rows(parsed: ParsedLines) -> _Rows | None:
    """The rows of a block whose ids are texts and whose times are seconds or milliseconds; None for any other."""
    users, items, stars, times = parsed.columns
    try:
        ids = pa.array(users, pa.string()), pa.array(items, pa.string())
        ratings, time_column = pa.array(stars, pa.float64()), pa.array(times)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None
    if any(column.null_count or pc.min(pc.binary_length(column)).as_py() == 0 for column in ids):
        return None
    if time_column.type != pa.int64() or time_column.null_count:
        return None
    seconds = time_column.to_numpy()
    if seconds.min() < 0 or seconds.max() >= FIRST_MILLISECONDS * 1000:
        return None
    milliseconds = np.where(seconds < FIRST_MILLISECONDS, seconds * 1000, seconds)
    return _Rows(*ids, ratings.fill_null(np.nan).to_numpy(), milliseconds, parsed.positions)


class _Codes:
    """Codes of ids in order of first appearance, encoded in batches of ROWS_PER_DICTIONARY."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "codes")  # encoding frees the GIL
        self._encoded: list[Future[pa.Array]] = []
        self._waiting: list[pa.Array] = []
        self._rows = 0

    def add(self, ids: pa.Array) -> None:
        self._waiting.append(ids)
        self._rows += len(ids)
        if self._rows >= ROWS_PER_DICTIONARY:
            self._encode()

    def _encode(self) -> None:
        self._encoded.append(self._thread.submit(_dictionary, self._waiting))
        self._waiting, self._rows = [], 0

    def finish(self) -> tuple[NDArray[np.int32], pa.Array]:
        """The code of every row so far, and the ids by code."""
        self._encode()
        encoded = pa.concat_arrays([part.result() for part in self._encoded])
        self._thread.shutdown()
        return encoded.indices.to_numpy(), encoded.dictionary


def _dictionary(arrays: list[pa.Array]) -> pa.Array:
    encoded = pa.concat_arrays([pa.array([], pa.string()), *arrays]).dictionary_encode()
    arrays.clear()
    pa.default_memory_pool().release_unused()  # else the pool keeps the freed small arrays
    return encoded


def read_review_columns(path: Path, settings: CorpusSettings) -> ReviewColumns:
    """Read who reviewed what, when and with how many stars.

    Raises InputError for a missing or damaged file, for times under a key that is not read, or when the share of
    malformed lines exceeds settings.max_malformed_share. Rows without a time are malformed if other rows have one.
    """
    malformed = Malformed(path, settings.quoted_lines)
    collected = _Columns(malformed, fields_of(("user", "item", "rating", "time"), settings))
    digest = hashlib.sha256()
    for block in line_blocks(path, digest):
        collected.add(block)
    users, user_names = collected.users.finish()
    items, item_names = collected.items.finish()
    ratings, rows = np.concatenate(collected.ratings), np.concatenate(collected.rows)
    times = np.concatenate(collected.milliseconds)
    counts = malformed.lines, malformed.count, collected.out_of_range
    columns = ReviewColumns(users, items, ratings, times, rows, user_names, item_names, *counts, digest.hexdigest())
    columns = _settle_times(columns, collected, malformed)
    malformed.check(settings.max_malformed_share)
    if not len(columns):
        raise InputError(f"{path} holds no review: docs/your-data.md lists the formats that are read")
    if np.isnan(columns.ratings).all():
        names = ", ".join(collected.fields[2].names)
        log.warning("%s: no row has a rating under %s: name another field in corpus.fields.rating", path, names)
    if collected.out_of_range:
        log.warning("%s: %d ratings outside 1 to 5 are taken as missing", path, collected.out_of_range)
    return columns


def _settle_times(columns: ReviewColumns, collected: _Columns, malformed: Malformed) -> ReviewColumns:
    """Drop rows without a time as malformed; if no row has one, the order of lines is the order in time."""
    assert columns.milliseconds is not None
    has_time = columns.milliseconds != NO_TIME
    if has_time.all():
        return columns
    names = ", ".join(collected.fields[3].names)
    unread = f"{collected.unread_time}, but times are read from {names} only: name it in corpus.fields.time, or drop it"
    if not has_time.any():
        if collected.unread_time:
            raise InputError(f"{malformed.path}: no row has a time that is read. {unread} to take the order of lines")
        log.warning("%s: no row has a time; the order of its lines is taken as the order in time", malformed.path)
        return replace(columns, milliseconds=None)
    for number, line in collected.timeless:
        malformed.add(number, line, "no time, in a dump that has times")
    timeless = int((~has_time).sum())
    malformed.count += timeless - len(collected.timeless)
    share = malformed.count / malformed.lines
    malformed.advice = (
        f" {timeless} of these lines only lack a time: add it, or raise corpus.max_malformed_share to "
        f"{math.ceil(share * 1000) / 1000:.3f} to leave them out." + (f" {unread}." if collected.unread_time else "")
    )
    return replace(columns, malformed=malformed.count).take(has_time)
