"""Field names of every release, parsing of their values, and the count of malformed records."""

import logging
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pulse_core.data.formats import record_word
from pulse_core.data.json_lines import NOT_UTF8, Field, Record, parse_object
from pulse_core.data.settings import CorpusSettings, FieldName
from pulse_core.data.tables import latin_1_advice
from pulse_core.errors import InputError, printable

log = logging.getLogger("pulse")

# Dates in seconds are smaller, dates since 1974 in milliseconds (the 2023 release) larger.
FIRST_MILLISECONDS = 100_000_000_000
LAST_MILLISECONDS = 4_102_444_800_000  # the year 2100
# The names of each field in order of preference: the 2018 release, the 2023 release and its quick start, others.
# Metadata fields are listed for `corpus.fields`.
NAMES: dict[str, tuple[str, ...]] = {
    "user": ("reviewerID", "user_id"),
    "item": ("parent_asin", "asin", "item_id"),
    "rating": ("overall", "rating"),
    "time": ("unixReviewTime", "timestamp", "sort_timestamp", "reviewTime"),
    "summary": ("summary", "title"),
    "text": ("reviewText", "text"),
    "title": ("title",),
    "brand": ("brand", "store"),
    "category": ("category", "categories"),
    "price": ("price",),
    "description": ("description",),
}
DAY = re.compile(r"(\d{1,2}) (\d{1,2}), (\d{4})")  # month, day, year
TIME_NAME = re.compile(
    r"time|date|stamp|created|posted|epoch|unix|publish|(^|_)(ts|dt|at|on|when|day)$|(?-i:[a-z](At|On)$)", re.IGNORECASE
)
TIME_VALUE = re.compile(r"\d{8}|\b(?:19|20)\d\d\b|\d+[/.-]\d+[/.-]\d+")


@dataclass
class Malformed:
    """Counts the malformed records of a file and quotes the first in the log."""

    path: Path
    quoted_lines: int
    lines: int = 0
    count: int = 0
    first: list[int] = field(default_factory=list)
    advice: str = ""  # added to the error if there are too many
    reasons: Counter[str] = field(default_factory=Counter)
    example: bytes = b""

    def add(self, number: int, line: bytes, why: str) -> None:
        """Count record `number` (1-based) as malformed."""
        self.count += 1
        self.reasons[why] += 1
        self.example = self.example or line
        if len(self.first) < self.quoted_lines:
            self.first.append(number)
            quote = printable(line[:160].decode("utf-8", "replace").strip())
            log.warning("%s, %s %d is malformed (%s): %s", self.path, record_word(self.path), number, why, quote)

    def check(self, max_share: float) -> None:
        """Raise InputError when more than `max_share` of the records so far were malformed."""
        if self.count > max_share * self.lines:
            word, numbers = record_word(self.path), ", ".join(map(str, self.first))
            raise InputError(
                f"{self.path}: {self.count} of {self.lines} {word}s are malformed ({self.count / self.lines:.2%}; "
                f"corpus.max_malformed_share allows {max_share:.2%}). First at {word} {numbers}. "
                f"{self._advice()}docs/your-data.md lists the formats and field names that are read.{self.advice}"
            )
        if self.count > len(self.first):
            log.warning("%s: %d malformed %ss in all", self.path, self.count, record_word(self.path))

    def _advice(self) -> str:
        if not self.reasons:
            return ""
        why = self.reasons.most_common(1)[0][0]
        if why == NOT_UTF8:
            return f"Most are {why}; {latin_1_advice(self.path)}. "
        try:
            keys = f"; its keys are {', '.join(parse_object(self.example))[:300]}"
        except ValueError:
            keys = ""
        return f"Most often: {why}{keys}. "


def fields_of(names: Sequence[FieldName], settings: CorpusSettings, is_text: bool = False) -> tuple[Field, ...]:
    """The fields `names` as a file may name them, the configured name first."""
    configured = {name: (theirs,) for name, theirs in settings.fields.items()}
    return tuple(Field((*configured.get(name, ()), *NAMES[name]), is_text) for name in names)


def item_of_metadata(line: bytes, fields: Mapping[FieldName, str]) -> tuple[str, Record]:
    """The item id of a metadata line and its record under our names; ValueError for a line without an id."""
    record = parse_object(line)
    for ours, theirs in fields.items():
        if theirs in record:
            record[NAMES[ours][0]] = record[theirs]
    # Not `or`: the number 0 is an id.
    ids = (value for name in NAMES["item"] if (value := record.get(name)) is not None and value != "")
    return identifier(next(ids, None), "item (asin)"), record


def identifier(value: object, what: str) -> str:
    """An id as text; ValueError for anything else. `what` names the field in the message."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"no {what} id")


def rating_of(value: object) -> float:
    """A rating in stars, NaN where it is missing; ValueError for anything but a number."""
    return math.nan if value is None or value == "" else _number(value, "rating")


def time_of(value: object) -> int | None:
    """Milliseconds since 1970 (UTC) of a time, None where it is missing; ValueError for an unreadable one.

    Numbers count seconds, milliseconds (the 2023 release), microseconds or nanoseconds, by their size; texts are
    "01 5, 2014" (`reviewTime`) or ISO 8601, in UTC unless they name a zone.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and (date := _date(value.strip())):
        return int(date.timestamp() * 1000)
    number = value if type(value) is int else _number(value, "time", "a number or a date in a known form")
    if not math.isfinite(number):
        raise ValueError("time is not a finite number")
    if abs(number) < FIRST_MILLISECONDS:
        return int(number * 1000)
    if abs(number) < FIRST_MILLISECONDS * 1000:
        return int(number)
    for unit in (1_000, 1_000_000):
        if FIRST_MILLISECONDS <= (milliseconds := int(number) // unit) < LAST_MILLISECONDS:
            return milliseconds
    raise ValueError(f"impossible time {value}")


def _date(text: str) -> datetime | None:
    if day := DAY.fullmatch(text):
        month, day_of_month, year = map(int, day.groups())
        return datetime(year, month, day_of_month, tzinfo=UTC)
    try:
        date = datetime.fromisoformat(text) if "-" in text[1:] else None
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date


def unread_time(record: Record, read: Sequence[str]) -> str | None:
    """A key of the record that looks like a time and is not among those `read`, quoted with its value."""
    for key, value in record.items():
        if TIME_NAME.search(key) and key not in read and TIME_VALUE.search(str(value)):
            return f"{key}: {value!r}"[:80]
    return None


def _number(value: object, what: str, wanted: str = "a number") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{what} is not {wanted}")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{what} is not {wanted}") from None
