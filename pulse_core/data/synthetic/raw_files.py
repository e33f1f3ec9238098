"""Lines of the two raw files with the dirt of real dumps: entities, gaps, repeats and malformed lines."""

import html
import time
from collections.abc import Iterator

import numpy as np
import orjson

from pulse_core.data.synthetic.behaviour import Purchases
from pulse_core.data.synthetic.catalogue import Catalogue, metadata_row, synthetic_id
from pulse_core.data.synthetic.reviews import Subject, draw_choices, rating, write_review
from pulse_core.data.synthetic_settings import DirtSettings

SECONDS_A_DAY = 86_400
MARKUP_TITLES = (
    '<span id="productTitle" class="a-size-large"></span>', "<div><br /></div>", "&nbsp;<b></b>",
    '<img src="https://images.invalid/p.gif">',
)  # fmt: skip
USER_ID_DIGITS = 9


def user_id(domain: str, number: int) -> str:
    """An id like Amazon's "A...", marked as synthetic by "SYN" and the domain's letter."""
    return synthetic_id(f"ASYN{domain[0].upper()}", number, USER_ID_DIGITS)


def _break(line: bytes, how: int) -> bytes:
    """A malformed copy of a line: truncated, not JSON, or without item or time."""
    if how == 0:
        return line[: len(line) // 2] + b"\n"
    if how == 1:
        return b"<html><body>503 Service Unavailable</body></html>\n"
    row = orjson.loads(line)
    row.pop("asin", None)
    row.pop("unixReviewTime", None) if how == 3 else None
    return orjson.dumps(row) + b"\n"


def break_lines(lines: list[bytes], share: float, rng: np.random.Generator) -> list[bytes]:
    """The lines with malformed ones inserted (`share` of their number), so that no purchase is lost."""
    count = int(len(lines) * share)
    out = list(lines)
    for place in sorted(rng.integers(0, len(lines), size=count).tolist(), reverse=True):
        out.insert(place, _break(lines[place], int(rng.integers(4))))
    return out


def metadata_lines(catalogue: Catalogue, domain: str, dirt: DirtSettings, rng: np.random.Generator) -> list[bytes]:
    """Lines of metadata.jsonl; some have no title, an empty one or only markup, are repeated or malformed."""
    count = len(catalogue.item_ids)
    fate = rng.random(count)
    lines = []
    for item in range(count):
        row = metadata_row(catalogue, item, domain)
        if fate[item] < dirt.missing_titles:
            if item % 2:
                row["title"] = ""
            else:
                del row["title"]
        elif fate[item] < dirt.missing_titles + dirt.junk_titles:
            row["title"] = MARKUP_TITLES[item % len(MARKUP_TITLES)]
        if rng.random() < 0.1:
            row["price"] = ""
        lines.append(orjson.dumps(row) + b"\n")
    again = np.flatnonzero(rng.random(count) < dirt.repeated_metadata)
    lines += [lines[item] for item in again.tolist()]
    lines = [lines[place] for place in rng.permutation(len(lines)).tolist()]
    return break_lines(lines, dirt.malformed_lines, rng)


def _day_text(day: int) -> str:
    moment = time.gmtime(day * SECONDS_A_DAY)
    return f"{moment.tm_mon:02d} {moment.tm_mday}, {moment.tm_year}"


def review_lines(
    catalogue: Catalogue, purchases: Purchases, domain: str, dirt: DirtSettings, rng: np.random.Generator
) -> Iterator[bytes]:
    """Lines of reviews.jsonl for one block of users in random order; repeated rows differ in day and text."""
    rows = len(purchases.user)
    again = np.flatnonzero(rng.random(rows) < dirt.duplicates)
    source = np.concatenate([np.arange(rows), again])
    later = np.concatenate([np.zeros(rows, dtype=np.int64), rng.integers(0, 60, size=len(again))])
    order = rng.permutation(len(source))
    source, later = source[order], later[order]
    draws = draw_choices(len(source), rng)
    empty = rng.random(len(source)) < dirt.empty_reviews
    verified = rng.random(len(source)) < 0.93
    days = (purchases.day[source] + later).tolist()
    columns = (purchases.user, purchases.item, purchases.driver, purchases.second, purchases.met)
    lines = []
    names = {int(user): user_id(domain, int(user)) for user in np.unique(purchases.user)}
    for place, (user, item, driver, second, met) in enumerate(zip(*(c[source].tolist() for c in columns), strict=True)):
        subject = Subject(
            catalogue.brands[catalogue.brand[item]], catalogue.kinds[catalogue.kind[item]].name,
            catalogue.drivers[driver], catalogue.drivers[second] if second >= 0 else None, met,
        )  # fmt: skip
        summary, text = write_review(subject, draws[place])
        row = {
            "overall": rating(met, draws[place]),
            "verified": bool(verified[place]),
            "reviewTime": _day_text(days[place]),
            "reviewerID": names[user],
            "asin": catalogue.item_ids[item],
            "reviewerName": "Synthetic Customer",
            "reviewText": html.escape(text, quote=draws[place][11] % 3 == 0),  # dumps mix &#39; and plain quotes
            "summary": html.escape(summary),
            "unixReviewTime": days[place] * SECONDS_A_DAY,
        }
        if empty[place]:
            row["reviewText"] = ""
            if place % 2:
                del row["reviewText"], row["summary"]
        lines.append(orjson.dumps(row) + b"\n")
    yield from break_lines(lines, dirt.malformed_lines, rng)
