"""First pass over the reviews: only integer columns are kept, so memory grows with rows, not with texts."""

import hashlib
import logging
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulse_core.data.quick_lines import NO_TIME, QuickLines, Row, Row2018, Row2023, is_utf8
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


@dataclass(frozen=True)
class ReviewColumns:
    """Every usable row of a review dump, in file order; arrays are (rows,)."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]  # NaN where the row has none
    times: NDArray[np.int64] | None  # seconds; None for a dump in which no row has a time
    rows: NDArray[np.int64]  # 0-based line in the raw file
    user_ids: list[str]  # by code, in order of first appearance
    item_ids: list[str]
    lines: int
    malformed: int
    sha256: str

    def __len__(self) -> int:
        return len(self.users)

    def take(self, chosen: NDArray[Any]) -> "ReviewColumns":
        """The chosen rows (positions or mask); ids and counts stay."""
        times = None if self.times is None else self.times[chosen]
        return ReviewColumns(
            self.users[chosen],
            self.items[chosen],
            self.ratings[chosen],
            times,
            self.rows[chosen],
            self.user_ids,
            self.item_ids,
            self.lines,
            self.malformed,
            self.sha256,
        )


class _Columns:
    """The columns as they grow, and the codes given so far."""

    def __init__(self, malformed: Malformed) -> None:
        self.users, self.items, self.ratings = array("i"), array("i"), array("f")
        self.times, self.rows = array("q"), array("q")
        self.user_codes, self.item_codes = _Codes(), _Codes()
        self.malformed = malformed
        self.timeless: list[tuple[int, bytes]] = []  # quoted later, if the dump turns out to have times
        self._lines_before = 0
        self._quick: QuickLines[Any] = QuickLines(Row2018, Row2023)

    def add(self, block: bytes) -> None:
        """Take the rows of a block of whole lines."""
        lines = block.split(b"\n")
        if is_utf8(block):
            records, without = self._quick.decode(lines, self._plain)
        else:
            records, without = QuickLines[Any]().decode(lines, self._plain)
        positions = np.delete(np.arange(len(lines)), without)
        self.users.extend(map(self.user_codes.__getitem__, [record.user for record in records]))
        self.items.extend(map(self.item_codes.__getitem__, [record.item for record in records]))
        self.ratings.extend([record.rating for record in records])
        times = np.array([record.time for record in records], dtype=np.int64)
        self.times.frombytes(np.where(times >= FIRST_MILLISECONDS, times // 1000, times).tobytes())
        self.rows.frombytes((positions + self._lines_before).tobytes())
        self.malformed.lines += len(records)
        if (wanted := self.malformed.quoted_lines - len(self.timeless)) > 0:
            for position in positions[times == NO_TIME][:wanted].tolist():
                self.timeless.append((self._lines_before + position + 1, lines[position]))
        self._lines_before += len(lines)

    def _plain(self, position: int, line: bytes) -> Row | None:
        """The row of a line that is not as its release means it; None for a blank or a malformed one."""
        if not line or line.isspace():
            return None
        try:
            record = parse_object(line)
            user, item = user_id_of(record), item_id_of(record)
            rating, time = rating_of(record), time_of(record)
        except ValueError as error:
            self.malformed.lines += 1
            self.malformed.add(self._lines_before + position + 1, line, str(error))
            return None
        return Row(user, item, rating, NO_TIME if time is None else time)


class _Codes(dict[str, int]):
    """Codes of ids in order of first appearance."""

    def __missing__(self, name: str) -> int:
        self[name] = code = len(self)
        return code


def read_review_columns(path: Path, settings: CorpusSettings) -> ReviewColumns:
    """Read who reviewed what, when and with how many stars.

    Raises InputError for a missing or damaged file, or when more than settings.max_malformed_share of its lines
    cannot be used. A row without a time is malformed in a dump that has times, and fine in one that has none.
    """
    malformed = Malformed(path, settings.quoted_lines)
    found = _Columns(malformed)
    digest = hashlib.sha256()
    for block in line_blocks(path, digest):
        found.add(block)
    columns = ReviewColumns(
        np.frombuffer(found.users, np.int32) if found.users else np.empty(0, np.int32),
        np.frombuffer(found.items, np.int32) if found.items else np.empty(0, np.int32),
        np.frombuffer(found.ratings, np.float32) if found.ratings else np.empty(0, np.float32),
        np.frombuffer(found.times, np.int64) if found.times else np.empty(0, np.int64),
        np.frombuffer(found.rows, np.int64) if found.rows else np.empty(0, np.int64),
        list(found.user_codes),
        list(found.item_codes),
        malformed.lines,
        malformed.count,
        digest.hexdigest(),
    )
    columns = _settle_times(columns, found.timeless, malformed)
    malformed.check(settings.max_malformed_share)
    if not len(columns):
        raise InputError(f"{path} holds no review: expected one JSON object a line (McAuley 2018 or 2023 names)")
    return columns


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
