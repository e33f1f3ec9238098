"""The corpus stage against reading the file's lines and against pandas; peak memory at ten times the rows."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.raw_domain import write_domain

ROOT = Path(__file__).resolve().parents[1]
# One process per side, because ru_maxrss never falls. Imports are not timed.
_MEASURE = """
import json, resource, sys, time
from pathlib import Path
from benchmarks.corpus_sides import {side}

started = time.perf_counter()
rows = {side}(Path(sys.argv[1]))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
print(json.dumps({{"seconds": seconds, "peak_mb": peak, "rows": rows}}))
"""


def measure_side(side: str, folder: Path) -> dict[str, float]:
    """Run a function of corpus_sides on `folder` in a fresh process: seconds, peak memory in MiB, rows written."""
    command = [sys.executable, "-c", _MEASURE.format(side=side), str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout)


def kept_pairs(folder: Path, side: str) -> pd.DataFrame:
    """The interactions that a side has written, by user and item id."""
    out = folder / side
    table = pd.read_parquet(out / "interactions.parquet")
    if side == "corpus":
        table = table.merge(pd.read_parquet(out / "users.parquet")).merge(
            pd.read_parquet(out / "items.parquet"), on="item"
        )
    return table[["user_id", "item_id", "timestamp", "rating"]].sort_values(["user_id", "item_id"], ignore_index=True)


def measure_corpus(rows: int = 200_000, seed: int = 1) -> dict[str, float]:
    """The corpus stage on a file of `rows` reviews and on one of ten times as many rows, users and items.

    On the larger file, against the floor (`gzip.open` and a loop over its lines; `_isal`: isal in place of zlib) and
    against pandas doing the same clean-up. Both sides' interactions must be equal.
    """
    with tempfile.TemporaryDirectory() as place:
        small, large = Path(place) / "1x", Path(place) / "10x"
        write_domain(small, rows, seed)
        write_domain(large, 10 * rows, seed)
        one = measure_side("corpus", small)
        before = measure_side("floor", large)
        ten = measure_side("corpus", large)
        after = measure_side("floor", large)
        floor_isal = measure_side("floor_isal", large)
        other = measure_side("pandas_clean_up", large)
        pd.testing.assert_frame_equal(kept_pairs(large, "corpus"), kept_pairs(large, "pandas"), check_dtype=False)
    floor = (before["seconds"] + after["seconds"]) / 2
    return {
        "corpus_reviews_per_second": 10 * rows / ten["seconds"],
        "corpus_vs_floor": ten["seconds"] / floor,
        "corpus_vs_floor_isal": ten["seconds"] / floor_isal["seconds"],
        "corpus_vs_pandas": other["seconds"] / ten["seconds"],
        "corpus_memory_x10": ten["peak_mb"] / one["peak_mb"],
        "corpus_peak_mb_1x": one["peak_mb"],
        "corpus_peak_mb_10x": ten["peak_mb"],
        "corpus_pandas_peak_mb": other["peak_mb"],
    }


if __name__ == "__main__":
    json.dump(measure_corpus(), sys.stdout, indent=2)
