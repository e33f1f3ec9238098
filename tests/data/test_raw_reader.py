import gzip
import hashlib
import logging

import numpy as np
import pytest

from pulse_core import progress
from pulse_core.data import unpack
from pulse_core.data.formats import line_blocks
from pulse_core.data.recorded import check_recorded, recorded_sha256
from pulse_core.data.review_columns import read_review_columns
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.sources import find_raw, missing_files_message, raw_candidates
from pulse_core.errors import InputError
from tests.data.raw_files import grid, review, write_lines

SETTINGS = CorpusSettings()


def lines_of(path):
    return [line for block in line_blocks(path) for line in block.split(b"\n")]


def test_lines_do_not_depend_on_block_size(tmp_path, monkeypatch):
    lines = [f"line {n} ".encode() + b"x" * (n % 37) for n in range(500)] + [b"", b"no newline at the end"]
    content = b"\n".join(lines)
    plain, packed, members = tmp_path / "plain", tmp_path / "packed", tmp_path / "members"
    plain.write_bytes(b"\xef\xbb\xbf" + content)
    packed.write_bytes(gzip.compress(content))
    members.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]) + b"\0" * 20)
    for block in (7, 64, 1 << 20):
        monkeypatch.setattr(unpack, "READ_BYTES", block)
        monkeypatch.setattr(unpack, "UNPACKED_BYTES", block)
        assert lines_of(plain) == lines_of(packed) == lines_of(members) == lines


def test_progress_counts_blocks_of_the_compressed_file(tmp_path, monkeypatch, caplog):
    path = write_lines(tmp_path / "reviews.jsonl.gz", grid(20, 20))
    blocks = -(-path.stat().st_size // 512)
    monkeypatch.setattr(unpack, "READ_BYTES", 512)
    monkeypatch.setattr(progress, "LOG_EVERY_SECONDS", 0)
    with caplog.at_level(logging.INFO, "pulse"):
        lines_of(path)
    logged = [record.message.removeprefix(f"reading {path}: ").split()[0] for record in caplog.records]
    assert logged == [f"{block}/{blocks}" for block in range(1, blocks + 1)]


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
    '{"reviewerID": "U1", "asin": "I1"}',  # no time, although the dump has times
]


def test_malformed_lines_are_counted_and_quoted(tmp_path, caplog):
    good = grid(40, 40)
    path = write_lines(tmp_path / "reviews.jsonl.gz", [*good[:3], "", *BAD_LINES, *good[3:]])
    with caplog.at_level(logging.WARNING, "pulse"):
        columns = read_review_columns(path, SETTINGS)
    assert columns.malformed == len(BAD_LINES)
    assert columns.lines == len(good) + len(BAD_LINES)  # the blank line does not count
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
    assert columns.milliseconds is None and columns.malformed == 0 and columns.rows.tolist() == [0, 1]
    assert "no row has a time" in caplog.text


def test_field_names_of_the_2023_release(tmp_path):
    record = {"user_id": "U", "parent_asin": "P", "asin": "child", "rating": 4, "timestamp": 1_600_000_000_123}
    path = write_lines(tmp_path / "reviews.jsonl", [record, {**record, "parent_asin": "Q", "rating": None}])
    columns = read_review_columns(path, SETTINGS)
    assert columns.item_names.to_pylist() == ["P", "Q"] and columns.user_names.to_pylist() == ["U"]
    assert (columns.milliseconds // 1000).tolist() == [1_600_000_000, 1_600_000_000]
    assert columns.ratings[0] == 4 and np.isnan(columns.ratings[1])


def test_find_raw_takes_any_known_suffix(tmp_path):
    assert find_raw(tmp_path, "reviews").name == "reviews.jsonl.gz"
    (tmp_path / "reviews.json").touch()
    assert find_raw(tmp_path, "reviews").name == "reviews.json"


def read(tmp_path, *records, **settings):
    return read_review_columns(
        write_lines(tmp_path / "reviews.jsonl", records, packed=False), CorpusSettings(**settings)
    )


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        ({"sort_timestamp": 1_600_000_000_123}, 1_600_000_000_123),
        ({"reviewTime": "01 5, 2014"}, 1_388_880_000_000),
        ({"reviewTime": "01 5, 2014", "unixReviewTime": 1_600_000_000}, 1_600_000_000_000),
        ({"unixReviewTime": None, "timestamp": 1_600_000_000_001}, 1_600_000_000_001),
        ({"unixReviewTime": None, "timestamp": None, "sort_timestamp": "1600000000"}, 1_600_000_000_000),
        ({"timestamp": "", "reviewTime": "12 31, 1999"}, 946_598_400_000),
        ({"timestamp": "2014-01-05"}, 1_388_880_000_000),
        ({"timestamp": "2014-01-05T01:00:00.250+01:00"}, 1_388_880_000_250),
        ({"timestamp": "2014-01-05 00:00:01Z"}, 1_388_880_001_000),
        ({"timestamp": 1_388_880_000_123_456}, 1_388_880_000_123),
        ({"timestamp": 1_388_880_000_123_456_789}, 1_388_880_000_123),
        ({"timestamp": "1388880000.5"}, 1_388_880_000_500),
    ],
)
def test_a_time_is_read_under_each_of_its_keys(tmp_path, time, milliseconds):
    columns = read(tmp_path, {**review("U1", "I1"), **time})
    assert columns.milliseconds is not None and columns.milliseconds.tolist() == [milliseconds]


def test_a_null_field_falls_back_to_the_other_release(tmp_path):
    both = {"reviewerID": None, "user_id": "U", "parent_asin": None, "asin": "I", "overall": None, "rating": 5}
    columns = read(tmp_path, {**both, "timestamp": 5}, {**both, "parent_asin": "", "overall": "", "timestamp": 6})
    assert columns.user_names.to_pylist() == ["U"] and columns.item_names.to_pylist() == ["I"]
    assert columns.ratings.tolist() == [5, 5]


@pytest.mark.parametrize(
    "key",
    [
        {"review_date": "2014-01-05"},
        {"created": 1_388_880_000},
        {"time": {"$date": "2014"}},
        {"bought_at": 1_388_880_000},
        {"boughtAt": "2014-01-05"},
        {"ts": 1_388_880_000_000},
        {"when": "2014-01-05"},
    ],
)
def test_a_time_under_an_unread_key_stops_the_run(tmp_path, key):
    record = {**review("U1", "I1"), **key}
    with pytest.raises(
        InputError, match=rf"no row has a time.* line 2 has {next(iter(key))}: .*unixReviewTime, timestamp"
    ):
        read(tmp_path, review("U2", "I1"), record)
    assert (
        len(
            read(tmp_path, {**review("U1", "I1"), "update": "yes", "sometimes": 3, "created": None, "format": 20140105})
        )
        == 1
    )


def test_ratings_under_a_name_that_is_not_read_are_warned_about(tmp_path, caplog):
    rows = [{**review("U1", f"I{n}"), "stars": 5} for n in range(3)]
    read(tmp_path, *({key: value for key, value in row.items() if key != "overall"} for row in rows))
    assert "no row has a rating under overall, rating: name another field in corpus.fields.rating" in caplog.text
    caplog.clear()
    read(tmp_path, *({**row, "overall": 5 if n else None} for n, row in enumerate(rows)))
    assert "has a rating" not in caplog.text


def test_a_date_in_an_unknown_form_is_not_called_a_number(tmp_path):
    with pytest.raises(InputError, match="time is not a number or a date in a known form"):
        read(tmp_path, {**review("U1", "I1"), "reviewTime": "Jan 5, 2014"})


def test_too_many_rows_without_a_time_name_the_setting_to_raise(tmp_path):
    rows = [*grid(5, 5), review("U1", "I99")]
    with pytest.raises(
        InputError, match=r"1 of these lines only lack a time.*raise corpus\.max_malformed_share to 0\.039"
    ):
        read(tmp_path, *rows)
    assert len(read(tmp_path, *rows, max_malformed_share=0.039)) == 25


def test_ratings_out_of_range_are_missing_and_counted(tmp_path, caplog):
    values = [11, -3, 1e300, 0, 5, 1, 4.5, None]
    columns = read(tmp_path, *(review("U1", f"I{n}", n, overall=value) for n, value in enumerate(values)))
    assert np.nan_to_num(columns.ratings, nan=-1).tolist() == [-1, -1, -1, -1, 5, 1, 4.5, -1]
    assert columns.out_of_range == 4 and "4 ratings outside 1 to 5 are taken as missing" in caplog.text


def test_find_raw_takes_a_publishers_file_name_only_if_unique(tmp_path):
    (tmp_path / "meta_All_Beauty.jsonl.gz").touch()
    (tmp_path / "All_Beauty.jsonl.gz").touch()
    (tmp_path / "source.json").touch()
    assert find_raw(tmp_path, "reviews").name == "All_Beauty.jsonl.gz"
    assert find_raw(tmp_path, "metadata").name == "meta_All_Beauty.jsonl.gz"
    (tmp_path / "Gift_Cards_5.json.gz").touch()
    assert find_raw(tmp_path, "reviews").name == "reviews.jsonl.gz"
    (tmp_path / "ml-100k.item").touch()
    (tmp_path / "meta_All_Beauty.jsonl.gz").unlink()
    assert find_raw(tmp_path, "metadata").name == "ml-100k.item"
    (tmp_path / "reviews.csv").touch()
    (tmp_path / "reviews.parquet").touch()
    assert [path.name for path in raw_candidates(tmp_path, "reviews")] == ["reviews.csv", "reviews.parquet"]


def test_the_missing_file_and_the_folder_contents_are_named(tmp_path):
    folder = tmp_path / "luxury"
    folder.mkdir()
    (folder / "metadata.jsonl.gz").touch()
    (folder / "my ratings.xls").touch()
    message = missing_files_message("luxury", tmp_path)
    assert "domain 'luxury': reviews. " in message and "holds metadata.jsonl.gz, my ratings.xls" in message
    assert "Luxury_Beauty_5" in message and "meta_Luxury" not in message
    assert "domain 'luxury': reviews. " in missing_files_message("luxury", tmp_path, "files")


DIGEST = "0123456789abcdef" * 4
OTHER = "f" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"{DIGEST}  reviews.csv\n",
        f"{DIGEST.upper()} *reviews.csv\r\n",
        f"\ufeff{DIGEST}  ./data/reviews.csv",
        f"{DIGEST}\n",
        f"SHA256 (reviews.csv) = {DIGEST}\n",
        f"{OTHER}  metadata.csv\n{DIGEST}  reviews.csv\n",
        f"# 12 bytes, found in place\n{DIGEST}  reviews.csv\n",
    ],
)
def test_digest_files_of_common_tools_are_read(tmp_path, text):
    (tmp_path / "reviews.csv.sha256").write_text(text, encoding="utf-8", newline="")
    assert recorded_sha256(tmp_path / "reviews.csv") == DIGEST
    check_recorded(tmp_path / "reviews.csv", DIGEST)
    with pytest.raises(InputError, match="does not match its record"):
        check_recorded(tmp_path / "reviews.csv", OTHER)


@pytest.mark.parametrize("text", ["", "0123  reviews.csv", f"{OTHER}  metadata.csv", f"{OTHER}\n{DIGEST}\n"])
def test_a_digest_file_without_this_file_s_digest_is_refused(tmp_path, text):
    (tmp_path / "reviews.csv.sha256").write_text(text)
    with pytest.raises(InputError, match=r"reviews\.csv\.sha256 holds (no|several) .*reviews\.csv' or delete it"):
        recorded_sha256(tmp_path / "reviews.csv")
