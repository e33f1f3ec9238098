import gzip
import hashlib
import logging

import numpy as np
import pytest

from pulse_core import progress
from pulse_core.data import raw_reader
from pulse_core.data.raw_reader import find_raw, line_batches
from pulse_core.data.review_columns import read_review_columns
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError
from tests.data.raw_files import grid, review, write_lines

SETTINGS = CorpusSettings()


def lines_of(path):
    return [line for batch in line_batches(path) for line in batch]


def test_lines_whatever_the_blocks(tmp_path, monkeypatch):
    lines = [f"line {n} ".encode() + b"x" * (n % 37) for n in range(500)] + [b"", b"no newline at the end"]
    content = b"\n".join(lines)
    plain, packed, members = tmp_path / "plain", tmp_path / "packed", tmp_path / "members"
    plain.write_bytes(b"\xef\xbb\xbf" + content)
    packed.write_bytes(gzip.compress(content))
    members.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]) + b"\0" * 20)
    for block in (7, 64, 1 << 20):
        monkeypatch.setattr(raw_reader, "READ_BYTES", block)
        monkeypatch.setattr(raw_reader, "MAX_UNPACKED_BYTES", block)
        assert lines_of(plain) == lines_of(packed) == lines_of(members) == lines


def test_progress_counts_the_blocks_of_the_file_as_it_lies_on_disk(tmp_path, monkeypatch, caplog):
    path = write_lines(tmp_path / "reviews.jsonl.gz", grid(20, 20))
    blocks = -(-path.stat().st_size // 512)
    monkeypatch.setattr(raw_reader, "READ_BYTES", 512)
    monkeypatch.setattr(progress, "LOG_EVERY_SECONDS", 0)
    with caplog.at_level(logging.INFO, "pulse"):
        lines_of(path)
    told = [record.message.removeprefix(f"reading {path}: ").split()[0] for record in caplog.records]
    assert told == [f"{block}/{blocks}" for block in range(1, blocks + 1)]


def test_digest_is_of_the_file_on_disk(tmp_path):
    path = write_lines(tmp_path / "reviews.jsonl.gz", grid(3, 3))
    assert read_review_columns(path, SETTINGS).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_gzip_is_named(tmp_path, damage):
    path = write_lines(tmp_path / "reviews.jsonl.gz", grid(20, 20))
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content[:-10] if damage == "cut" else content)
    with pytest.raises(InputError, match=r"reviews\.jsonl\.gz.*fetch it again"):
        read_review_columns(path, SETTINGS)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_review_columns(tmp_path / "reviews.jsonl", SETTINGS)
    (tmp_path / "reviews.jsonl").write_bytes(b"\n\n")
    with pytest.raises(InputError, match="holds no review"):
        read_review_columns(tmp_path / "reviews.jsonl", SETTINGS)


BAD_LINES = [
    "{not json",
    "[1, 2]",
    b'{"reviewerID": "\xff\xfe", "asin": "I1", "unixReviewTime": 5}',
    '{"asin": "I1", "unixReviewTime": 5}',
    '{"reviewerID": "", "asin": "I1", "unixReviewTime": 5}',
    '{"reviewerID": "U1", "unixReviewTime": 5}',
    '{"reviewerID": "U1", "asin": "I1", "overall": "five", "unixReviewTime": 5}',
    '{"reviewerID": "U1", "asin": "I1", "unixReviewTime": "June"}',
    '{"reviewerID": "U1", "asin": "I1", "unixReviewTime": true}',
    '{"reviewerID": "U1", "asin": "I1", "unixReviewTime": 99999999999999999}',
    '{"reviewerID": "U1", "asin": "I1"}',  # no time, in a dump that has times
]


def test_malformed_lines_are_counted_and_quoted(tmp_path, caplog):
    good = grid(40, 40)
    path = write_lines(tmp_path / "reviews.jsonl.gz", [*good[:3], "", *BAD_LINES, *good[3:]])
    with caplog.at_level(logging.WARNING, "pulse"):
        columns = read_review_columns(path, SETTINGS)
    assert columns.malformed == len(BAD_LINES)
    assert columns.lines == len(good) + len(BAD_LINES)  # the blank line is none
    assert len(columns) == len(good)
    assert columns.rows[:4].tolist() == [0, 1, 2, 4 + len(BAD_LINES)]
    assert "line 5 is malformed" in caplog.text and "{not json" in caplog.text
    assert len([r for r in caplog.records if "is malformed" in r.message]) == SETTINGS.quoted_lines
    assert "11 malformed lines in all" in caplog.text


def test_too_many_malformed_lines_fail_with_counts_and_numbers(tmp_path):
    path = write_lines(tmp_path / "reviews.jsonl.gz", [*grid(5, 5), *BAD_LINES])
    with pytest.raises(InputError, match=r"11 of 36 lines are malformed.*max_malformed_share.*line 26, 27"):
        read_review_columns(path, SETTINGS)
    assert read_review_columns(path, CorpusSettings(max_malformed_share=0.5)).malformed == 11


def test_a_row_without_time_in_a_dump_with_times_is_quoted(tmp_path, caplog):
    path = write_lines(tmp_path / "reviews.jsonl.gz", [*grid(15, 15), review("U1", "I99")])
    columns = read_review_columns(path, SETTINGS)
    assert columns.malformed == 1 and len(columns) == 225
    assert "line 226 is malformed (no time, in a dump that has times)" in caplog.text


def test_a_dump_without_times_keeps_its_order_and_says_so(tmp_path, caplog):
    path = write_lines(tmp_path / "reviews.jsonl", [review("U1", "I2"), review("U1", "I1")], packed=False)
    columns = read_review_columns(path, SETTINGS)
    assert columns.times is None and columns.malformed == 0 and columns.rows.tolist() == [0, 1]
    assert "no row has a time" in caplog.text


def test_names_of_the_2023_release(tmp_path):
    record = {"user_id": "U", "parent_asin": "P", "asin": "child", "rating": 4, "timestamp": 1_600_000_000_123}
    path = write_lines(tmp_path / "reviews.jsonl", [record, {**record, "parent_asin": "Q", "rating": None}])
    columns = read_review_columns(path, SETTINGS)
    assert columns.item_ids == ["P", "Q"] and columns.user_ids == ["U"]
    assert columns.times is not None and columns.times.tolist() == [1_600_000_000, 1_600_000_000]
    assert columns.ratings[0] == 4 and np.isnan(columns.ratings[1])


def test_find_raw_takes_any_known_suffix(tmp_path):
    assert find_raw(tmp_path, "reviews").name == "reviews.jsonl.gz"
    (tmp_path / "reviews.json").touch()
    assert find_raw(tmp_path, "reviews").name == "reviews.json"
