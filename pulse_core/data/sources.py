"""Where the reviews and metadata of each domain are published, and what to say when they are not there."""

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


@dataclass(frozen=True)
class RawFile:
    """One published file: its addresses in order of preference, its name there and its name under raw_dir."""

    urls: tuple[str, ...]
    published: str
    name: str


def raw_files(domain: str, mirrors: tuple[str, ...] = MIRRORS) -> tuple[RawFile, ...]:
    """The 5-core reviews and the metadata of a published domain (KeyError for another)."""
    category = CATEGORIES[domain]
    reviews, metadata = f"categoryFilesSmall/{category}_5.json.gz", f"metaFiles2/meta_{category}.json.gz"
    return tuple(
        RawFile(tuple(mirror + path for mirror in mirrors), path.rsplit("/", 1)[1], name)
        for path, name in ((reviews, "reviews.jsonl.gz"), (metadata, "metadata.jsonl.gz"))
    )


def missing_files_message(domain: str, raw_dir: Path, source: str = "amazon-2018") -> str:
    """Where the files of `domain` should lie and, for a published one, what to fetch and from which page."""
    folder = raw_dir.absolute() / domain
    if source == "files" or domain not in CATEGORIES:
        return (
            f"raw files are missing for domain '{domain}'. Put your own reviews into {folder / 'reviews.jsonl.gz'} and "
            f"{folder / 'metadata.jsonl.gz'} (JSON lines, gzip or plain, field names of the McAuley 2018 or 2023 "
            f"release), or choose a published domain: {', '.join(CATEGORIES)}."
        )
    lines = [f"raw files are missing for domain '{domain}'. Download from {DATASET_PAGE} (or {PAPER_PAGE}):"]
    for file, kind in zip(raw_files(domain), ("5-core reviews", "metadata"), strict=True):
        lines += [f"  {file.published} ({kind}) -> {folder / file.name}", *(f"      {url}" for url in file.urls)]
    return "\n".join(lines)
