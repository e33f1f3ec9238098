"""First pass over the reviews: only integer columns are kept, so memory grows with rows, not with texts."""

import hashlib
import logging
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulse_core.data.raw_reader import (
    Malformed,
    item_id_of,
    line_batches,
    parse_object,
    rating_of,
    time_of,
    user_id_of,
)
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError

log = logging.getLogger("pulse")
NO_TIME = np.iinfo(np.int64).min


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


def read_review_columns(path: Path, settings: CorpusSettings) -> ReviewColumns:
    """Read who reviewed what, when and with how many stars.

    Raises InputError for a missing or damaged file, or when more than settings.max_malformed_share of its lines
    cannot be used. A row without a time is malformed in a dump that has times, and fine in one that has none.
    """
    users, items, ratings, times, rows = array("i"), array("i"), array("f"), array("q"), array("q")
    user_codes: dict[str, int] = {}
    item_codes: dict[str, int] = {}
    malformed = Malformed(path, settings.quoted_lines)
    timeless: list[tuple[int, bytes]] = []  # quoted later, if the dump turns out to have times
    digest = hashlib.sha256()
    number = 0
    for batch in line_batches(path, digest):
        for line in batch:
            number += 1
            if not line or line.isspace():
                continue
            malformed.lines += 1
            try:
                record = parse_object(line)
                user, item = user_id_of(record), item_id_of(record)
                rating, time = rating_of(record), time_of(record)
            except ValueError as error:
                malformed.add(number, line, str(error))
                continue
            if time is None:
                if len(timeless) < settings.quoted_lines:
                    timeless.append((number, line))
                time = NO_TIME
            users.append(user_codes.setdefault(user, len(user_codes)))
            items.append(item_codes.setdefault(item, len(item_codes)))
            ratings.append(rating)
            times.append(time)
            rows.append(number - 1)
    columns = ReviewColumns(
        np.frombuffer(users, np.int32) if users else np.empty(0, np.int32),
        np.frombuffer(items, np.int32) if items else np.empty(0, np.int32),
        np.frombuffer(ratings, np.float32) if ratings else np.empty(0, np.float32),
        np.frombuffer(times, np.int64) if times else np.empty(0, np.int64),
        np.frombuffer(rows, np.int64) if rows else np.empty(0, np.int64),
        list(user_codes),
        list(item_codes),
        malformed.lines,
        malformed.count,
        digest.hexdigest(),
    )
    columns = _settle_times(columns, timeless, malformed)
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
