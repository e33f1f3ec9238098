"""Streams McAuley JSON lines: gzip or plain, names of the 2018 and the 2023 release, bad lines counted and quoted."""

import ast
import json
import logging
import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from pulse_core.data.formats import record_word
from pulse_core.data.tables import latin_1_advice
from pulse_core.errors import InputError

log = logging.getLogger("pulse")

NOT_UTF8 = "not UTF-8"
# Later than any date in seconds, earlier than any since 1974 in milliseconds: the 2023 release counts milliseconds.
FIRST_MILLISECONDS = 100_000_000_000
Record = dict[str, Any]  # one line's JSON object
# The keys of a value in order of preference: the 2018 and the 2023 release, the publisher's quick start of 2023.
USER_KEYS = ("reviewerID", "user_id")
ITEM_KEYS = ("parent_asin", "asin", "item_id")
RATING_KEYS = ("overall", "rating")
TIME_KEYS = ("unixReviewTime", "timestamp", "sort_timestamp")
SUMMARY_KEYS = ("summary", "title")
TEXT_KEYS = ("reviewText", "text")
DAY_KEY = "reviewTime"
DAY = re.compile(r"(\d{1,2}) (\d{1,2}), (\d{4})")  # month, day, year
TIME_NAME = re.compile(r"time|date|stamp|created|posted", re.IGNORECASE)
TIME_VALUE = re.compile(r"\d{8}|\b(?:19|20)\d\d\b|\d+[/.-]\d+[/.-]\d+")


@dataclass
class Malformed:
    """Counts the records of one file that cannot be used and quotes the first few in the log."""

    path: Path
    quoted_lines: int
    lines: int = 0
    count: int = 0
    first: list[int] = field(default_factory=list)
    advice: str = ""
    """What else to say when there are too many."""
    reasons: Counter[str] = field(default_factory=Counter)
    example: bytes = b""

    @cached_property
    def word(self) -> str:
        """What a number counts in this file."""
        return record_word(self.path)

    def add(self, number: int, line: bytes, why: str) -> None:
        """Record `number` (1-based) cannot be used."""
        self.count += 1
        self.reasons[why] += 1
        self.example = self.example or line
        if len(self.first) < self.quoted_lines:
            self.first.append(number)
            quote = printable(line[:160].decode("utf-8", "replace").strip())
            log.warning("%s, %s %d is malformed (%s): %s", self.path, self.word, number, why, quote)

    def check(self, max_share: float) -> None:
        """Raise InputError when more than `max_share` of the records so far were malformed."""
        if self.count > max_share * self.lines:
            numbers = ", ".join(map(str, self.first))
            raise InputError(
                f"{self.path}: {self.count} of {self.lines} {self.word}s are malformed ({self.count / self.lines:.1%}; "
                f"corpus.max_malformed_share allows {max_share:.1%}). First at {self.word} {numbers}. "
                f"{self._advice()}docs/your-data.md lists the formats and field names that are read.{self.advice}"
            )
        if self.count > len(self.first):
            log.warning("%s: %d malformed %ss in all", self.path, self.count, self.word)

    def _advice(self) -> str:
        if not self.reasons:
            return ""
        if not self.reasons:
            return ""
        why = self.reasons.most_common(1)[0][0]
        if why == NOT_UTF8:
            return f"Most are {why}; {latin_1_advice(self.path)}. "
        try:
            keys = f"; its keys are {printable(', '.join(parse_object(self.example)))[:300]}"
        except ValueError:
            keys = ""
        return f"Most often: {why}{keys}. "


def printable(text: str) -> str:
    """The text with control characters replaced, safe to show on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def parse_object(line: bytes) -> Record:
    """One line's JSON object; ValueError for anything else.

    NaN and Infinity, as Python's json and pandas write them, are null; lone surrogates become U+FFFD; a number beyond
    a float's is infinite. Python literals (the 2014 release) are evaluated safely.
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
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(NOT_UTF8) from None
    try:
        if text.startswith("{'"):
            with warnings.catch_warnings(action="ignore"):
                return _whole_characters(ast.literal_eval(text))
        return _whole_characters(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"not JSON: {str(error).partition(': line ')[0]}") from None


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
