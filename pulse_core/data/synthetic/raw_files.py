"""Lines of the two raw files: reviews that agree with their rating, and the dirt of real dumps."""

import html
import time

import numpy as np
import orjson

from pulse_core.data.synthetic.behaviour import Purchases
from pulse_core.data.synthetic.catalogue import Catalogue, synthetic_id
from pulse_core.data.synthetic.vocabulary import CATEGORIES, GROUP_CATEGORIES, MARKUP_TITLES, REVIEW_FRAMES, Driver
from pulse_core.data.synthetic_settings import DirtSettings

SECONDS_A_DAY = 86_400
RATINGS = {True: (5, 5, 5, 5, 5, 5, 5, 4, 4, 4), False: (3, 3, 3, 3, 2, 2, 2, 1, 1, 1)}  # by whether the driver was met
SILENT = 0.06  # share of reviews that give no reason
DRAWS = 12  # random numbers per review: the first determines the rating, the others the wording


def user_ids(domain: str, users: np.ndarray) -> dict[int, str]:
    """User number -> an id like Amazon's "A...", marked as synthetic by "SYN" and the domain's letter."""
    return {user: synthetic_id(f"ASYN{domain[0].upper()}", user, 9) for user in np.unique(users).tolist()}


def _break(line: bytes, how: int) -> bytes:
    """A malformed copy of a line: truncated, not JSON, or without item or time."""
    if how == 0:
        return line[: len(line) // 2] + b"\n"
    if how == 1:
        return b"<html><body>503 Service Unavailable</body></html>\n"
    row = orjson.loads(line)
    row.pop("asin", None)
    if how == 3:
        row.pop("unixReviewTime", None)
    return orjson.dumps(row) + b"\n"


def _break_lines(lines: list[bytes], share: float, rng: np.random.Generator) -> list[bytes]:
    """The lines with malformed ones inserted (`share` of their number), so that no purchase is lost."""
    out = list(lines)
    for place in sorted(rng.integers(0, len(lines), size=int(len(lines) * share)).tolist(), reverse=True):
        out.insert(place, _break(lines[place], int(rng.integers(4))))
    return out


def _metadata_row(catalogue: Catalogue, item: int, domain: str) -> dict[str, object]:
    """One item as a record of the 2018 metadata: every key, HTML entities in texts, the price as a string."""
    kind = catalogue.kinds[catalogue.kind[item]]
    return {
        "category": [html.escape(CATEGORIES[domain]), html.escape(GROUP_CATEGORIES[kind.group]), kind.name],
        "tech1": "",
        "description": [html.escape(catalogue.descriptions[item], quote=False)],
        "fit": "",
        "title": html.escape(catalogue.titles[item]).replace("–", "&ndash;"),
        "also_buy": [],
        "tech2": "",
        "brand": html.escape(catalogue.brands[catalogue.brand[item]]),
        "feature": [],
        "rank": [],
        "also_view": [],
        "details": {"ASIN: ": catalogue.item_ids[item]},
        "main_cat": html.escape(CATEGORIES[domain]),
        "similar_item": "",
        "date": "",
        "price": f"${catalogue.price[item]:,.2f}",
        "asin": catalogue.item_ids[item],
        "imageURL": [],
        "imageURLHighRes": [],
    }


def metadata_lines(catalogue: Catalogue, domain: str, dirt: DirtSettings, rng: np.random.Generator) -> list[bytes]:
    """Lines of metadata.jsonl; some have no title, an empty one or only markup, are repeated or malformed."""
    count = len(catalogue.item_ids)
    fate = rng.random(count)
    lines = []
    for item in range(count):
        row = _metadata_row(catalogue, item, domain)
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
    return _break_lines(lines, dirt.malformed_lines, rng)


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _write_review(
    brand: str, kind: str, driver: Driver, second: Driver | None, met: bool, draws: list[int]
) -> tuple[str, str]:
    """(summary, text) of one review in plain text; `second`: another driver that mattered, from its `draws`."""
    frames = REVIEW_FRAMES["met" if met else "missed"]
    need = driver.needs[draws[1] % len(driver.needs)]

    def say(part: str, draw: int, clause: str = "") -> str:
        frame = frames[part][draw % len(frames[part])]
        return frame.format(kind=kind.lower(), brand=brand, need=need, clause=clause, Clause=_upper_first(clause))

    summary = _upper_first(say("summary", draws[2]))
    if draws[3] % 1000 < SILENT * 1000:
        return "", say("silent", draws[4])
    clauses = driver.met if met else driver.missed
    reason = say("reason", draws[4], clauses[draws[5] % len(clauses)])
    also = ""
    if second is not None and draws[8] % 3 == 0:
        also = say("also", draws[9], second.met[draws[10] % len(second.met)])
    shape = draws[11] % 10  # real reviews are short or long, and come to the point early or late
    opening = say("opening", draws[6]) if shape >= 6 else ""
    closing = say("closing", draws[7]) if shape in (3, 4, 5, 8, 9) else ""
    return summary, " ".join(part for part in (opening, reason, also if shape >= 3 else "", closing) if part)


def review_lines(
    catalogue: Catalogue, purchases: Purchases, domain: str, dirt: DirtSettings, rng: np.random.Generator
) -> list[bytes]:
    """Lines of reviews.jsonl for one block of users in random order; repeated rows differ in day and text."""
    rows = len(purchases.user)
    again = np.flatnonzero(rng.random(rows) < dirt.duplicates)
    source = np.concatenate([np.arange(rows), again])
    later = np.concatenate([np.zeros(rows, dtype=np.int64), rng.integers(0, 60, size=len(again))])
    order = rng.permutation(len(source))
    source, later = source[order], later[order]
    draws = rng.integers(0, 1 << 30, size=(len(source), DRAWS)).tolist()
    empty = rng.random(len(source)) < dirt.empty_reviews
    verified = rng.random(len(source)) < 0.93
    days = (purchases.day[source] + later).tolist()
    columns = (purchases.user, purchases.item, purchases.driver, purchases.second, purchases.met)
    ids = user_ids(domain, purchases.user)
    lines = []
    for place, (user, item, driver, second, met) in enumerate(zip(*(c[source].tolist() for c in columns), strict=True)):
        brand, kind = catalogue.brands[catalogue.brand[item]], catalogue.kinds[catalogue.kind[item]].name
        drivers = catalogue.drivers[driver], catalogue.drivers[second] if second >= 0 else None
        summary, text = _write_review(brand, kind, *drivers, met, draws[place])
        date = time.gmtime(days[place] * SECONDS_A_DAY)
        row = {
            "overall": float(RATINGS[met][draws[place][0] % len(RATINGS[met])]),
            "verified": bool(verified[place]),
            "reviewTime": f"{date.tm_mon:02d} {date.tm_mday}, {date.tm_year}",
            "reviewerID": ids[user],
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
    return _break_lines(lines, dirt.malformed_lines, rng)
