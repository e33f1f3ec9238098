"""A replaced raw file reruns the corpus, whatever its date; a touched one reruns nothing."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace
from workflow_scripts.wiring import raw_digests

CORPUS = "results/shop/corpus/statistics.json"


def write_raw(folder: Path, rating: int) -> None:
    """Write a dump of 6 users who all bought the same 6 items; one-digit ratings keep its size the same."""
    folder.mkdir(parents=True, exist_ok=True)
    reviews = [
        {
            "reviewerID": f"u{user}",
            "asin": f"i{item}",
            "overall": rating,
            "unixReviewTime": 1_500_000_000 + item * 86400,
        }
        for user in range(6)
        for item in range(6)
    ]
    items = [{"asin": f"i{item}", "title": f"Item number {item}"} for item in range(6)]
    for name, rows in (("reviews", reviews), ("metadata", items)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.workflow
def test_a_replaced_raw_file_reruns_the_corpus(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "checkout", {"domains": {"luxury": None, "shop": {"source": "files"}}})
    folder = workspace.root / "resources/raw/shop"
    write_raw(folder, rating=5)
    workspace.run(target=CORPUS)
    reviews = folder / "reviews.jsonl"
    later = time.time() + 10
    os.utime(reviews, (later, later))
    assert workspace.stale(target=CORPUS) == set()
    record = folder / "reviews.jsonl.sha256"
    record.write_text(f"{'0' * 64}  reviews.jsonl\n")  # nothing is stale, so no stage would read it
    assert "reviews.jsonl does not match its record" in workspace.run("-n", target=CORPUS, fails=True)
    record.unlink()
    write_raw(folder, rating=1)
    os.utime(reviews, (1_000_000_000, 1_000_000_000))  # as mv, cp -p, tar and unzip leave it
    assert workspace.stale(target=CORPUS) == {"corpus"}


def test_a_file_is_read_again_only_when_it_may_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "reviews.jsonl"
    file.write_text("one")
    files = {"reviews": str(file), "metadata": str(tmp_path / "missing.jsonl")}
    first = raw_digests.digests(files)
    assert first.keys() == {"reviews"}
    remembered = json.loads(raw_digests.CACHE.read_text())
    remembered[str(file)]["sha256"] = "remembered"
    raw_digests.CACHE.write_text(json.dumps(remembered))
    assert raw_digests.digests(files) == {"reviews": "remembered"}
    status = file.stat()
    time.sleep(0.02)
    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # same size, same date
    assert raw_digests.digests(files) != first
    for damaged in ("[]", "{", '{"a": 1}'):
        raw_digests.CACHE.write_text(damaged)
        assert raw_digests.digests(files).keys() == {"reviews"}
