"""The corpus's items with clean titles, brands, categories, prices and descriptions, streamed from metadata."""

import hashlib
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from pulse_core.data.formats import line_blocks
from pulse_core.data.json_lines import Record
from pulse_core.data.raw_reader import Malformed, item_of_metadata
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.text import clean_title, cut_at_word, plain_text, price_of
from pulse_core.errors import InputError

log = logging.getLogger("pulse")

# Category paths of the 2018 release continue into feature bullets; real category names are short.
MAX_CATEGORY_CHARACTERS = 40
NO_TITLE = "no `title`: name another field in corpus.fields.title"
MIN_TITLED_SHARE = 0.9  # a smaller share of titled items is warned about

ITEM_SCHEMA = pa.schema(
    [
        ("item", pa.int32()),
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("has_title", pa.bool_()),
        ("brand", pa.string()),
        ("category", pa.string()),
        ("price", pa.float32()),
        ("description", pa.string()),
    ]
)


def _category(record: Record) -> str:
    """The most specific category: the last of the path that looks like a name, else the main category."""
    path: Any = record.get("category") or record.get("categories") or []
    while isinstance(path, list) and path and isinstance(path[-1], list):  # the 2014 release nests several paths
        path = path[-1]
    main = record.get("main_cat") or record.get("main_category")
    for part in (*reversed(path if isinstance(path, list) else [path]), main):
        if (name := plain_text(part)) and len(name) <= MAX_CATEGORY_CHARACTERS:
            return name
    return ""


def _fields(record: Record, settings: CorpusSettings) -> dict[str, object]:
    brand = plain_text(record.get("brand") or record.get("store")).removeprefix("by ").strip()
    return {
        "title": clean_title(record.get("title"), settings.max_title_characters),
        "brand": cut_at_word(brand, 60),
        "category": _category(record),
        "price": price_of(record.get("price")),
        "description": cut_at_word(plain_text(record.get("description")), settings.max_description_characters),
    }


class _Causes:
    """Counts the likely causes of items without a title."""

    def __init__(self, item_ids: list[str]) -> None:
        self._items = set(item_ids)
        self._loose = {_loose(item_id) for item_id in item_ids}
        self.rows: Counter[str] = Counter()

    def add(self, item_id: str, record: Record) -> None:
        """Count a row whose id is not in the corpus."""
        asin = record.get("asin")
        if isinstance(asin, str) and asin in self._items:
            self.rows["reviews name items by `asin`, metadata by `parent_asin`"] += 1
        elif _loose(item_id) in self._loose:
            self.rows["ids differ only in case, blanks or leading zeros (lost where ids were read as numbers)"] += 1

    def likely(self, titled: int) -> str:
        """The most frequent cause, if it affects more rows than there are titled items; else ""."""
        cause, rows = max(self.rows.items(), key=lambda entry: entry[1], default=("", 0))
        return f" Likely cause, in {rows} metadata rows: {cause}." if rows > titled else ""


def _loose(item_id: str) -> str:
    return "".join(item_id.split()).lstrip("0").casefold()


def read_items(path: Path | None, item_ids: list[str], settings: CorpusSettings) -> tuple[pa.Table, dict[str, object]]:
    """The table of the corpus's items, in the order of `item_ids`, and figures for statistics.json.

    Of an item's metadata rows, the first with a usable title is used, else the first. Items without metadata (all if
    `path` is None) have their id as title. Rows of items outside the corpus are not kept, so memory does not grow with
    the metadata file. Raises InputError as the review reader does, and for metadata that match no item.
    """
    code_of = {item_id: code for code, item_id in enumerate(item_ids)}
    fields_by_code: dict[int, dict[str, object]] = {}
    malformed = Malformed(path or Path(), settings.quoted_lines)
    causes = _Causes(item_ids)
    digest = hashlib.sha256()
    number = duplicates = 0
    for block in line_blocks(path, digest) if path is not None else ():
        for line in block.split(b"\n"):
            number += 1
            if not line or line.isspace():
                continue
            malformed.lines += 1
            try:
                item_id, record = item_of_metadata(line, settings.fields)
            except ValueError as error:
                malformed.add(number, line, str(error))
                continue
            if (code := code_of.get(item_id)) is None:
                causes.add(item_id, record)
                continue
            if (known := fields_by_code.get(code)) is not None:
                duplicates += 1
                if known["title"]:
                    continue
            fields = _fields(record, settings)
            if not fields["title"]:
                given = record.get("title") is not None and str(record["title"]).strip()
                causes.rows["the title is markup or page code" if given else NO_TITLE] += 1
            if known is None or fields["title"]:
                fields_by_code[code] = fields
    malformed.check(settings.max_malformed_share)
    rows = malformed.lines - malformed.count
    if rows and not fields_by_code:
        raise InputError(
            f"{path}: none of its {rows} rows matches one of the corpus's {len(item_ids)} items (the first is "
            f"{item_ids[0]!r}).{causes.likely(0)} Use the same ids in reviews and metadata, or omit metadata."
        )
    table, untitled = _table(item_ids, fields_by_code)
    titled = len(item_ids) - untitled
    if path is None:
        log.warning("no metadata file: the title of every item is its id")
    elif titled < MIN_TITLED_SHARE * len(item_ids):
        share = f"{titled} of {len(item_ids)} items ({titled / len(item_ids):.1%})"
        cause = causes.likely(titled)
        log.warning("%s: only %s have a title; prompts show the ids of the others.%s", path, share, cause)
    return table, {
        "metadata_rows": malformed.lines,
        "metadata_malformed_lines": malformed.count,
        "metadata_duplicates": duplicates,
        "items_without_metadata": len(item_ids) - len(fields_by_code),
        "items_without_title": untitled,
        "titled_share": titled / len(item_ids),
        "metadata_sha256": "" if path is None else digest.hexdigest(),
    }


def _table(item_ids: list[str], fields_by_code: dict[int, dict[str, object]]) -> tuple[pa.Table, int]:
    no_fields: dict[str, object] = {"title": "", "brand": "", "category": "", "price": None, "description": ""}
    rows = [fields_by_code.get(code, no_fields) for code in range(len(item_ids))]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in no_fields}
    titles = columns["title"]
    columns |= {"item": range(len(rows)), "item_id": item_ids, "has_title": [bool(title) for title in titles]}
    columns["title"] = [title or item_id for title, item_id in zip(titles, item_ids, strict=True)]
    return pa.table(columns, schema=ITEM_SCHEMA), titles.count("")
