"""Where the reviews and metadata of each domain are published, and where they lie on disk."""

import re
from dataclasses import dataclass
from pathlib import Path

DATASET_PAGE = "https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/"
PAPER_PAGE = "https://nijianmo.github.io/amazon/"

# The same files under each address; the lab has moved twice, and the oldest host answers only now and then.
MIRRORS = (
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/",
    "https://jmcauley.ucsd.edu/data/amazon_v2/",
    "https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_v2/",
    "http://deepyeti.ucsd.edu/jianmo/amazon/",
)

# Domain -> the publisher's name for the category (2018 release).
CATEGORIES = {
    "luxury": "Luxury_Beauty",
    "pantry": "Prime_Pantry",
    "games": "Video_Games",
    "gift_cards": "Gift_Cards",
}

RAW_NAMES = ("reviews", "metadata")
_FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".inter", ".item")
RAW_SUFFIXES = (*(f"{format}{packed}" for format in _FORMATS for packed in (".gz", "")), ".parquet")
# Luxury_Beauty_5.json.gz, meta_Luxury_Beauty.json.gz; RecBole: luxury.inter, luxury.item
_PUBLISHED = {
    "reviews": re.compile(r"[A-Z][A-Za-z_]+(_5)?\.(jsonl?|csv)(\.gz)?|[\w-]+\.inter(\.gz)?"),
    "metadata": re.compile(r"meta_[A-Z][A-Za-z_]+\.jsonl?(\.gz)?|[\w-]+\.item(\.gz)?"),
}


@dataclass(frozen=True)
class RawFile:
    """A published file: its addresses in order of preference, its published name and its name under raw_dir."""

    urls: tuple[str, ...]
    published: str
    name: str


def raw_files(domain: str, mirrors: tuple[str, ...] = MIRRORS) -> tuple[RawFile, ...]:
    """The 5-core reviews and the metadata of a published domain (KeyError for another)."""
    category = CATEGORIES[domain]
    paths = f"categoryFilesSmall/{category}_5.json.gz", f"metaFiles2/meta_{category}.json.gz"
    return tuple(
        RawFile(tuple(mirror + path for mirror in mirrors), path.rsplit("/", 1)[1], f"{name}.jsonl.gz")
        for path, name in zip(paths, RAW_NAMES, strict=True)
    )


def raw_candidates(folder: Path, name: str) -> list[Path]:
    """The files of `folder` that may be its "reviews" or "metadata", the one that is read first.

    Files called `name` come before those that keep the publisher's or RecBole's name, which count only if there is a
    single one.
    """
    named = [folder / f"{name}{suffix}" for suffix in RAW_SUFFIXES]
    if placed := [path for path in named if path.is_file()]:
        return placed
    published = [path for path in folder.glob("*") if _PUBLISHED[name].fullmatch(path.name) and path.is_file()]
    return published if len(published) == 1 else []


def find_raw(folder: Path, name: str) -> Path:
    """The raw file `name` ("reviews" or "metadata") of `folder`, or where it is expected."""
    return next(iter(raw_candidates(folder, name)), folder / f"{name}{RAW_SUFFIXES[0]}")


def missing_files_message(domain: str, raw_dir: Path, source: str = "amazon-2018") -> str:
    """Which raw files of `domain` are missing, what its folder holds instead, and where to get them."""
    folder = raw_dir.absolute() / domain
    own = source == "files" or domain not in CATEGORIES
    wanted = RAW_NAMES[:1] if own else RAW_NAMES
    names = [name for name in wanted if not find_raw(folder, name).is_file()]
    there = sorted(path.name for path in folder.glob("*"))
    start = f"raw files are missing for domain '{domain}': {' and '.join(names) or 'none'}. " + (
        f"{folder} holds {', '.join(there[:8])}{', ...' if len(there) > 8 else ''}. " if there else ""
    )
    if own:
        return (
            f"{start}Put your own reviews into {folder / 'reviews.jsonl.gz'} and metadata, if you have them, into "
            f"{folder / 'metadata.jsonl.gz'} (other formats and names: docs/your-data.md), or choose a published "
            f"domain: {', '.join(CATEGORIES)}."
        )
    lines = [f"{start}Download from {DATASET_PAGE} (or {PAPER_PAGE}):"]
    for file, name in zip(raw_files(domain), RAW_NAMES, strict=True):
        if name in names:
            kind = "5-core reviews" if name == "reviews" else name
            lines += [f"  {file.published} ({kind}) -> {folder / file.name}", *(f"      {url}" for url in file.urls)]
    return "\n".join(lines)
