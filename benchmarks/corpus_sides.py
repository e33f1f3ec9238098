"""What the corpus benchmark compares: the stage, the floor, and pandas with the same clean-up."""

import gzip
import html
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from isal import igzip

from pulse_core.data.corpus import build_corpus
from pulse_core.data.settings import CorpusSettings

K_CORE, MAX_CHARACTERS = 5, 400
COLUMNS = {"reviewerID": "user_id", "asin": "item_id", "overall": "rating", "unixReviewTime": "timestamp"}


def corpus(folder: Path) -> int:
    """The corpus stage; returns the number of interactions kept."""
    raw = folder / "reviews.jsonl.gz", folder / "metadata.jsonl.gz"
    return int(build_corpus(*raw, CorpusSettings(k_core=K_CORE), folder / "corpus", "synthetic")["interactions"])


def _count(lines: Iterable[bytes]) -> int:
    count = 0
    for _ in lines:
        count += 1
    return count


def floor(folder: Path) -> int:
    """The minimum of any Python reader: unpack the file and iterate over its lines."""
    with gzip.open(folder / "reviews.jsonl.gz", "rb") as lines:
        return _count(lines)


def floor_isal(folder: Path) -> int:
    """The floor with isal, as the stage unpacks."""
    with igzip.open(folder / "reviews.jsonl.gz", "rb") as lines:
        return _count(lines)


def _plain(texts: pd.Series) -> pd.Series:
    texts = texts.fillna("").map(html.unescape)
    texts = texts.str.replace(r"<[^<>]+>", " ", regex=True).str.replace(r"\s+", " ", regex=True).str.strip()
    return texts.str.slice(0, MAX_CHARACTERS)


def pandas_clean_up(folder: Path) -> int:
    """Idiomatic pandas: all reviews in one table, the earliest of each pair, iterated 5-core, plain texts of the
    survivors in order of time, the items' titles. Returns the number of interactions kept."""
    chunks = pd.read_json(folder / "reviews.jsonl.gz", lines=True, chunksize=100_000, convert_dates=False)
    reviews = pd.concat(chunk[[*COLUMNS, "summary", "reviewText"]] for chunk in chunks).rename(columns=COLUMNS)
    reviews = reviews.dropna(subset=["user_id", "item_id", "timestamp"])
    reviews = reviews.sort_values("timestamp", kind="stable").drop_duplicates(["user_id", "item_id"])
    size = -1
    while size != (size := len(reviews)):
        for column in ("user_id", "item_id"):
            reviews = reviews[reviews.groupby(column)["rating"].transform("size") >= K_CORE]
    reviews = reviews.sort_values(["user_id", "timestamp"], kind="stable")
    for column in ("summary", "reviewText"):
        reviews[column] = _plain(reviews[column])
    items = pd.read_json(folder / "metadata.jsonl.gz", lines=True).drop_duplicates("asin")
    items = items[items["asin"].isin(reviews["item_id"])]
    items["title"] = _plain(items["title"])
    items["description"] = _plain(items["description"].str.join(" "))
    out = folder / "pandas"
    out.mkdir()
    reviews[[*COLUMNS.values()]].to_parquet(out / "interactions.parquet", compression="zstd")
    reviews[["user_id", "item_id", "summary", "reviewText"]].to_parquet(out / "reviews.parquet", compression="zstd")
    items.to_parquet(out / "items.parquet", compression="zstd")
    return len(reviews)
