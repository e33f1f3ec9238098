"""First pass over the reviews: only integer columns are kept, so memory grows with rows, not with texts."""

import hashlib
import logging
from array import array
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pulse_core.data.quick_lines import Key, ParsedBlock, mask_of, parse_block
from pulse_core.data.raw_reader import (
    FIRST_MILLISECONDS,
    Malformed,
    item_id_of,
    line_blocks,
    parse_object,
    rating_of,
    time_of,
    user_id_of,
)
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError

log = logging.getLogger("pulse")
NO_TIME = -(1 << 63)  # the least int64
ROWS_A_DICTIONARY = 1 << 19
KEYS = (
    Key("reviewerID", "user_id", pa.string()),
    Key("parent_asin", "asin", pa.string()),
    Key("overall", "rating", pa.float64()),
    Key("unixReviewTime", "timestamp", pa.int64()),
)


@dataclass(frozen=True)
class ReviewColumns:
    """Every usable row of a review dump, in file order; arrays are (rows,)."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]  # NaN where the row has none
    times: NDArray[np.int64] | None  # seconds; None for a dump in which no row has a time
    rows: NDArray[np.int64]  # 0-based line in the raw file
    user_names: pa.Array  # ids by code, in order of first appearance
    item_names: pa.Array
    lines: int
    malformed: int
    sha256: str

    def __len__(self) -> int:
        return len(self.users)

    @property
    def user_ids(self) -> list[str]:
        """The users' ids by code."""
        return self.user_names.to_pylist()

    @property
    def item_ids(self) -> list[str]:
        """The items' ids by code."""
        return self.item_names.to_pylist()

    def take(self, chosen: NDArray[Any]) -> "ReviewColumns":
        """The chosen rows (positions or mask); ids and counts stay."""
        times = None if self.times is None else self.times[chosen]
        return ReviewColumns(
            self.users[chosen],
            self.items[chosen],
            self.ratings[chosen],
            times,
            self.rows[chosen],
            self.user_names,
            self.item_names,
            self.lines,
            self.malformed,
            self.sha256,
        )


class _Columns:
    """The columns as they grow, a block of lines at a time."""

    def __init__(self, malformed: Malformed) -> None:
        self.users, self.items = _Codes(), _Codes()
        self.ratings, self.times, self.rows = array("f"), array("q"), array("q")
        self.malformed = malformed
        self.timeless: list[tuple[int, bytes]] = []  # quoted later, if the dump turns out to have times
        self._lines_before = 0

    def add(self, block: bytes, parsed: ParsedBlock) -> None:
        """Take the rows of a block of whole lines."""
        users, items, _, times = parsed.columns
        unusual = mask_of(
            pc.or_(pc.less(times, 0), pc.greater_equal(times, FIRST_MILLISECONDS * 1000)).fill_null(False)
        )
        parsed = parsed.without(unusual | _missing(users) | _missing(items))
        rows = parsed.joined(list(self._plain_rows(block, parsed)))
        users, items, ratings, times = rows.columns
        time = times.fill_null(NO_TIME).to_numpy()
        self.users.add(users)
        self.items.add(items)
        self.ratings.frombytes(ratings.fill_null(np.nan).to_numpy().astype(np.float32).tobytes())
        self.times.frombytes(np.where(time >= FIRST_MILLISECONDS, time // 1000, time).tobytes())
        self.rows.frombytes((rows.positions + self._lines_before).tobytes())
        self.malformed.lines += len(time)
        if (wanted := self.malformed.quoted_lines - len(self.timeless)) > 0:
            for position in rows.positions[time == NO_TIME][:wanted].tolist():
                self.timeless.append((self._lines_before + position + 1, parsed.line(block, position)))
        self._lines_before += len(parsed.starts) - 1

    def _plain_rows(self, block: bytes, parsed: ParsedBlock) -> Iterator[tuple[int, str, str, float, int | None]]:
        """(line, user, item, rating, time) of the odd lines that can be used; the others are counted and quoted."""
        for position in parsed.odd.tolist():
            line = parsed.line(block, position)
            if not line or line.isspace():
                continue
            try:
                record = parse_object(line)
                user, item = user_id_of(record), item_id_of(record)
                rating, time = rating_of(record), time_of(record)
            except ValueError as error:
                self.malformed.lines += 1
                self.malformed.add(self._lines_before + position + 1, line, str(error))
                continue
            yield position, user, item, rating, time


def _missing(ids: pa.Array) -> NDArray[np.bool_]:
    return mask_of(pc.equal(pc.binary_length(ids), 0).fill_null(True))


def _encoded(arrays: list[pa.Array]) -> pa.Array:
    encoded = pa.concat_arrays(arrays).dictionary_encode()
    arrays.clear()
    pa.default_memory_pool().release_unused()  # it would keep what many small arrays have freed
    return encoded


class _Codes:
    """Codes of ids in order of first appearance; ids wait as they stand until there are enough for a dictionary."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "codes")  # encoding frees the GIL
        self._encoded: list[Future[pa.Array]] = []
        self._waiting: list[pa.Array] = []
        self._rows = 0

    def add(self, ids: pa.Array) -> None:
        """Take the next rows' ids."""
        self._waiting.append(ids)
        self._rows += len(ids)
        if self._rows >= ROWS_A_DICTIONARY:
            self._encode()

    def _encode(self) -> None:
        if self._rows:
            self._encoded.append(self._thread.submit(_encoded, self._waiting))
            self._waiting, self._rows = [], 0

    def finish(self) -> tuple[NDArray[np.int32], pa.Array]:
        """The code of every row so far, and the ids by code."""
        self._encode()
        parts, self._encoded = [part.result() for part in self._encoded], []
        self._thread.shutdown()
        if not parts:
            return np.empty(0, np.int32), pa.array([], pa.string())
        names = pa.chunked_array([part.dictionary for part in parts], pa.string()).dictionary_encode()  # one for all
        codes = [
            known.indices.to_numpy()[part.indices.to_numpy()] for known, part in zip(names.chunks, parts, strict=True)
        ]
        return np.concatenate(codes), names.chunk(0).dictionary


def read_review_columns(path: Path, settings: CorpusSettings) -> ReviewColumns:
    """Read who reviewed what, when and with how many stars.

    Raises InputError for a missing or damaged file, or when more than settings.max_malformed_share of its lines
    cannot be used. A row without a time is malformed in a dump that has times, and fine in one that has none.
    """
    malformed = Malformed(path, settings.quoted_lines)
    found = _Columns(malformed)
    digest = hashlib.sha256()
    for block in line_blocks(path, digest):
        found.add(block, parse_block(block, KEYS))
    users, user_names = found.users.finish()
    items, item_names = found.items.finish()
    columns = ReviewColumns(
        users,
        items,
        np.asarray(found.ratings),
        np.asarray(found.times),
        np.asarray(found.rows),
        user_names,
        item_names,
        malformed.lines,
        malformed.count,
        digest.hexdigest(),
    )
    columns = _settle_times(columns, found.timeless, malformed)
    malformed.check(settings.max_malformed_share)
    if not len(columns):
        raise InputError(f"{path} holds no review: expected one JSON object a line (McAuley 2018 or 2023 names)")
    return columns


def in_use(codes: NDArray[np.int32], names: pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """Codes of the ids in use alone, in the order they had, and those ids: the rest never become Python objects."""
    used = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    new = np.full(len(names), -1, dtype=np.int32)
    new[used] = np.arange(len(used), dtype=np.int32)
    return new[codes], names.take(pa.array(used)).to_pylist()


def _settle_times(columns: ReviewColumns, timeless: list[tuple[int, bytes]], malformed: Malformed) -> ReviewColumns:
    assert columns.times is not None
    has_time = columns.times != NO_TIME
    if has_time.all():
        return columns
    fields = dict(columns.__dict__)
    if not has_time.any():
        log.warning("%s: no row has a time; the order of its lines is taken as the order in time", malformed.path)
        return ReviewColumns(**{**fields, "times": None})
    for number, line in timeless:
        malformed.add(number, line, "no time, in a dump that has times")
    malformed.count += int((~has_time).sum()) - len(timeless)
    fields["malformed"] = malformed.count
    return ReviewColumns(**fields).take(has_time)
