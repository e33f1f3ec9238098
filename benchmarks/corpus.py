"""Raw reviews to corpus: reviews per second, and peak memory as the raw file grows tenfold."""

import gzip
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

# Each measurement runs in a process of its own: ru_maxrss never falls within one.
_MEASURED = """
import json, resource, sys, time
from pathlib import Path
from pulse_core.data.corpus import build_corpus
from pulse_core.data.settings import CorpusSettings

folder = Path(sys.argv[1])
started = time.perf_counter()
figures = build_corpus(
    folder / "reviews.jsonl.gz", folder / "metadata.jsonl.gz", CorpusSettings(), folder / "corpus", "synthetic"
)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
print(json.dumps({"seconds": seconds, "peak_mb": peak, "kept": figures["interactions"]}))
"""
_WORDS = ("great", "lovely", "dry", "scent", "hold", "light", "rich", "buy again", "gift", "thin", "skin", "long wear")


def write_reviews(folder: Path, rows: int, seed: int, reviews_per_user: int = 10, reviews_per_item: int = 50) -> None:
    """A raw domain of `rows` reviews of realistic size (about 550 bytes a line), in no order of time."""
    rng = random.Random(seed)
    users, items = max(rows // reviews_per_user, 1), max(rows // reviews_per_item, 1)
    texts = [" ".join(rng.choices(_WORDS, k=rng.randint(5, 110))) for _ in range(2000)]
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "reviews.jsonl.gz", "wt", compresslevel=6, encoding="utf-8") as out:
        for _ in range(rows):
            record = {
                "overall": float(rng.randint(1, 5)),
                "verified": True,
                "reviewTime": "06 17, 2018",
                "reviewerID": f"A{int(rng.random() ** 1.5 * users):013d}",
                "asin": f"B{int(rng.random() ** 2 * items):09d}",
                "reviewerName": "A customer",
                "reviewText": f"{rng.random():.6f} {rng.choice(texts)} &amp; {rng.choice(_WORDS)}",
                "summary": rng.choice(_WORDS),
                "unixReviewTime": 1_300_000_000 + 86_400 * rng.randint(0, 2500),
            }
            out.write(json.dumps(record) + "\n")
    with gzip.open(folder / "metadata.jsonl.gz", "wt", compresslevel=6, encoding="utf-8") as out:
        for item in range(items):
            record = {"asin": f"B{item:09d}", "title": f"Item {item} &amp; more", "description": [texts[item % 2000]]}
            out.write(json.dumps(record) + "\n")


def measure_once(folder: Path) -> dict[str, float]:
    """Build the corpus of `folder` in a fresh process: seconds, peak resident memory in MiB, interactions kept."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(folder)], cwd=root, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def measure_corpus(rows: int = 100_000, seed: int = 1) -> dict[str, float]:
    """`corpus_reviews_per_second` (on the larger file), `corpus_peak_mb_1x` and `corpus_peak_mb_10x`.

    The 10x file has ten times the rows, users and items; about 40 s and 150 MB of temporary disk at the default.
    """
    with tempfile.TemporaryDirectory() as place:
        small, large = Path(place) / "1x", Path(place) / "10x"
        write_reviews(small, rows, seed)
        write_reviews(large, 10 * rows, seed)
        one, ten = measure_once(small), measure_once(large)
    return {
        "corpus_reviews_per_second": 10 * rows / ten["seconds"],
        "corpus_peak_mb_1x": one["peak_mb"],
        "corpus_peak_mb_10x": ten["peak_mb"],
    }


if __name__ == "__main__":
    json.dump(measure_corpus(), sys.stdout, indent=2)
