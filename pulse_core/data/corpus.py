"""From raw reviews and metadata to the corpus (design: de-duplicate, iterated k-core, order in time).

Two passes over the reviews: the first keeps integer columns only, the second streams the texts of surviving rows to
disk. Memory therefore grows with the number of rows (28 bytes each) and their ids, never with the texts.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from pulse_core.artifacts import of_corpus, read_json, write_json, write_table
from pulse_core.data.item_table import read_items
from pulse_core.data.kcore import earliest_of_pairs, k_core, rank_codes, sequence_order, tied_share
from pulse_core.data.recorded import check_recorded
from pulse_core.data.review_columns import ReviewColumns, read_review_columns
from pulse_core.data.review_texts import write_reviews
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.sources import missing_files_message, raw_candidates
from pulse_core.errors import InputError

log = logging.getLogger("pulse")


def corpus_source(folder: Path, default: str) -> str:
    """The corpus name that source.json declares beside the raw files, else `default`; InputError if it names none.

    The declaration has priority over settings, so that generated reviews cannot pass for real ones.
    """
    declared = folder / "source.json"
    if not declared.is_file():
        return default
    try:
        name = read_json(declared)["corpus"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        name = ""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InputError(f'{declared} does not name the corpus in one line: expected {{"corpus": "my-shop"}}')
    return name


def build_corpus(
    reviews: Path, metadata: Path | None, settings: CorpusSettings, out: Path, source: str
) -> dict[str, object]:
    """Build the corpus from one domain's raw files; returns what statistics.json holds.

    Writes interactions, users, items, reviews (Parquet) and statistics.json into `out`, each atomically, the statistics
    last. Raises InputError for missing, damaged or changed files, too many malformed lines, or a filter that leaves no
    user.
    """
    if not (reviews.is_file() and (metadata is None or metadata.is_file())):
        raise InputError(missing_files_message(reviews.parent.name, reviews.parent.parent, source))
    source = corpus_source(reviews.parent, source)
    for name, path in (("reviews", reviews), ("metadata", metadata)):
        if path is not None and (
            others := [other.name for other in raw_candidates(path.parent, name) if other != path]
        ):
            log.warning("%s is read; %s beside it is ignored", path, ", ".join(others))
    with of_corpus(source):
        return _build(reviews, metadata, settings, out, source)


def _build(reviews: Path, metadata: Path | None, settings: CorpusSettings, out: Path, source: str) -> dict[str, object]:
    raw = read_review_columns(reviews, settings)
    check_recorded(reviews, raw.sha256)
    deduplicated = earliest_of_pairs(raw.users, raw.items, raw.milliseconds)
    chosen = deduplicated[k_core(raw.users[deduplicated], raw.items[deduplicated], settings.k_core)]
    if not len(chosen):
        single = raw.take(deduplicated)
        raise InputError(
            f"corpus.k_core = {settings.k_core} leaves no user of {reviews}: it has {len(single)} distinct (user, "
            f"item) pairs of {len(np.unique(single.users))} users and {len(np.unique(single.items))} items, the "
            f"busiest user has {np.bincount(single.users).max()}. Set a smaller corpus.k_core (1 keeps everything) or "
            "give a larger dump."
        )
    kept, duplicates = raw.take(chosen), len(raw) - len(deduplicated)
    del raw, deduplicated, chosen  # frees most of the memory
    log.info("%s: %d of %d rows survive the %d-core filter", reviews, len(kept), kept.lines, settings.k_core)

    users, user_ids = rank_codes(kept.users, kept.user_names)
    items, item_ids = rank_codes(kept.items, kept.item_names)
    item_table, item_figures = read_items(metadata, item_ids, settings)
    if metadata is not None:
        check_recorded(metadata, str(item_figures["metadata_sha256"]))

    order = sequence_order(users, kept.milliseconds, kept.rows)
    write_table(out / "interactions.parquet", _interaction_table(kept, users, items, order))
    user_codes = np.arange(len(user_ids), dtype=np.int32)
    write_table(out / "users.parquet", pa.table({"user": user_codes, "user_id": user_ids}))
    write_table(out / "items.parquet", item_table)
    reviews_with_text = write_reviews(out / "reviews.parquet", reviews, kept.rows, users, items, settings)

    statistics = {
        "corpus": source,
        "source": source,
        "source_hash": hashlib.sha256(f"{kept.sha256}{item_figures['metadata_sha256']}".encode()).hexdigest(),
        "reviews_sha256": kept.sha256,
        "raw_rows": kept.lines,
        "raw_users": len(kept.user_names),
        "raw_items": len(kept.item_names),
        "malformed_lines": kept.malformed,
        "duplicates_removed": duplicates,
        "k_core": settings.k_core,
        "reviews_with_text": reviews_with_text,
        **item_figures,
        **_figures(users[order], items, kept, order),
    }
    write_json(out / "statistics.json", statistics)
    return statistics


def _interaction_table(kept: ReviewColumns, users: NDArray[Any], items: NDArray[Any], order: NDArray[Any]) -> pa.Table:
    ratings = kept.ratings[order]
    milliseconds = kept.milliseconds
    return pa.table(
        {
            "user": users[order],
            "item": items[order],
            "rating": pa.array(ratings, pa.float32(), mask=np.isnan(ratings)),
            "timestamp": pa.nulls(len(order), pa.int64()) if milliseconds is None else milliseconds[order] // 1000,
            "row": kept.rows[order],
        }
    )


def _figures(users: NDArray[Any], items: NDArray[Any], kept: ReviewColumns, order: NDArray[Any]) -> dict[str, object]:
    """Table 2's figures and properties of times and ratings; `users` in sequence order."""
    n_users, n_items, n = int(users.max()) + 1, int(items.max()) + 1, len(users)
    times = None if kept.milliseconds is None else kept.milliseconds[order]
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    ends = np.append(starts[1:], n) - 1
    one_time = 0 if times is None else int(((times[starts] == times[ends]) & (ends > starts)).sum())
    if 2 * one_time > n_users:
        log.warning(
            "%d of %d users have a single time for all their reviews: their order, and so split.kind = leave_one_out, "
            "follows the lines of the file, not time",
            one_time,
            n_users,
        )
    return {
        "users": n_users,
        "items": n_items,
        "interactions": n,
        "density": n / (n_users * n_items),
        "mean_history": n / n_users,
        "has_timestamps": times is not None,
        "tied_timestamp_share": None if times is None else tied_share(users, times),
        "users_with_one_timestamp": None if times is None else int((times[starts] == times[ends]).sum()),
        "ratings_out_of_range": kept.out_of_range,
        "interactions_without_rating": int(np.isnan(kept.ratings).sum()),
    }
