"""A raw domain shaped like Amazon's 2018 Video Games, for benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from isal import igzip

# Of Video Games' 2.57 M reviews, 1.54 M users wrote 1.7 each on 72 k items, and the 5-core filter keeps 0.5 M.
REGULAR_SHARE, REGULAR_REVIEWS, LIGHT_REVIEWS, ITEMS_PER_ROW = 0.22, 10, 1.4, 0.028
BLOCK = 50_000
WORDS = ("great", "lovely", "dry", "scent", "hold", "light", "rich", "buy again", "gift", "thin", "skin", "long wear")


def write_domain(folder: Path, rows: int, seed: int) -> None:
    """Write `rows` reviews of about 550 bytes per line, not sorted by time, and metadata of their items.

    No line is malformed, because pandas would stop there.
    """
    rng = np.random.default_rng(seed)
    items = max(int(rows * ITEMS_PER_ROW), 20)
    texts = [" ".join(rng.choice(WORDS, size=size)) for size in rng.integers(5, 110, size=2000)]
    folder.mkdir(parents=True, exist_ok=True)
    with igzip.open(folder / "reviews.jsonl.gz", "wb", compresslevel=2) as out:
        for start in range(0, rows, BLOCK):
            out.write("".join(_reviews(rng, min(BLOCK, rows - start), rows, items, texts)).encode())
    with igzip.open(folder / "metadata.jsonl.gz", "wb", compresslevel=2) as out:
        for item in range(items):
            title, description = f"Item {item} &amp; more", texts[item % 2000]
            out.write(f'{{"asin": "B{item:09d}", "title": "{title}", "description": ["{description}"]}}\n'.encode())


def _reviews(rng: np.random.Generator, count: int, rows: int, items: int, texts: list[str]) -> Iterator[str]:
    regular = rng.random(count) < REGULAR_SHARE
    regulars = max(int(rows * REGULAR_SHARE / REGULAR_REVIEWS), 1)
    light = max(int(rows * (1 - REGULAR_SHARE) / LIGHT_REVIEWS), 1)
    user = np.where(regular, rng.integers(regulars, size=count), regulars + rng.integers(light, size=count))
    item = (rng.random(count) ** 2 * items).astype(int)
    stars, day = rng.integers(1, 6, size=count), rng.integers(2500, size=count)
    text, word = rng.integers(len(texts), size=count), rng.integers(len(WORDS), size=count)
    salt = rng.integers(1 << 40, size=count)
    for u, i, s, d, t, w, x in zip(*(c.tolist() for c in (user, item, stars, day, text, word, salt)), strict=True):
        yield (
            f'{{"overall": {s}.0, "verified": true, "reviewTime": "06 17, 2018", "reviewerID": "A{u:013d}", '
            f'"asin": "B{i:09d}", "reviewerName": "A customer", "reviewText": "{x:x} {texts[t]}'
            f'{" &amp; <br />" if w < 3 else ". "}{WORDS[w]}", "summary": "{WORDS[w]}", '
            f'"unixReviewTime": {1_300_000_000 + 86_400 * d}}}\n'
        )
