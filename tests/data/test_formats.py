"""All supported formats give the same corpus; unsupported ones are named in the error."""

import bz2
import gzip
import io
import json
import logging

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pulse_core.data import formats, tables, unpack
from pulse_core.data.corpus import build_corpus
from pulse_core.data.formats import line_blocks
from pulse_core.data.review_columns import read_review_columns
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError
from tests.data.raw_files import review

SETTINGS = CorpusSettings(k_core=1)
REVIEWS = [
    review(f"U{n % 3}", f"000{n}", 1_500_000_000 + n, overall=float(n % 5 + 1), reviewText=f'Some "text", {n}\nmore é')
    for n in range(7)
]
RECORDS = [
    (r["reviewerID"], r["asin"], r["overall"], r["unixReviewTime"]) for r in REVIEWS
]  # ids keep their leading zeros


def frame(**names):
    return pd.DataFrame(REVIEWS).rename(columns=names)


def csv_text(separator=",", header=True, columns=None, **names):
    return frame(**names).to_csv(sep=separator, header=header, columns=columns, index=False)


TEXT = {
    "JSON lines": "\n".join(map(json.dumps, REVIEWS)),
    "a JSON array on one line": json.dumps(REVIEWS),
    "a JSON array, one element per line": "[" + ",\n".join(map(json.dumps, REVIEWS)) + "]\n",
    "a pretty-printed JSON array": json.dumps(REVIEWS, indent=2),
    "concatenated objects": "".join(map(json.dumps, REVIEWS)),
    "pretty-printed objects": "\n".join(json.dumps(r, indent=4) for r in REVIEWS),
    "Python literals": "\n".join(map(repr, REVIEWS)),
    "NaN": "\n".join(json.dumps({**r, "price": float("nan")}) for r in REVIEWS),
    "CSV": csv_text(),
    "CSV, Windows line ends": csv_text().replace("\n", "\r\n"),
    "CSV with semicolons": csv_text(";"),
    "TSV": csv_text("\t"),
    "2023 CSV": csv_text(reviewerID="user_id", asin="parent_asin", overall="rating", unixReviewTime="timestamp"),
    "RecBole": csv_text(
        "\t",
        columns=["user_id:token", "item_id:token", "rating:float", "timestamp:float"],
        reviewerID="user_id:token",
        asin="item_id:token",
        overall="rating:float",
        unixReviewTime="timestamp:float",
    ),
    "ratings only": csv_text(header=False, columns=["reviewerID", "asin", "overall", "unixReviewTime"]),
}


def parquet_bytes(table=None):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame()) if table is None else table, out)
    return out.getvalue()


def records_of(path):
    columns = read_review_columns(path, SETTINGS)
    assert columns.malformed == 0 and columns.milliseconds is not None
    users, items = columns.user_names.to_pylist(), columns.item_names.to_pylist()
    times = (columns.milliseconds // 1000).tolist()
    rows = zip(columns.users, columns.items, columns.ratings.tolist(), times, strict=True)
    return [(users[user], items[item], rating, time) for user, item, rating, time in rows]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", TEXT)
def test_supported_formats_give_the_same_records(tmp_path, name, packed, monkeypatch):
    content = TEXT[name].encode()
    path = tmp_path / "reviews"
    path.write_bytes(gzip.compress(content) if packed else b"\xef\xbb\xbf" + content)
    assert records_of(path) == RECORDS
    monkeypatch.setattr(unpack, "UNPACKED_BYTES", 400)  # block boundaries fall inside records
    monkeypatch.setattr(unpack, "READ_BYTES", 400)
    monkeypatch.setattr(tables, "ROWS_PER_BLOCK", 2)
    assert records_of(path) == RECORDS


def test_parquet_is_recognised_whatever_its_name(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(parquet_bytes())
    assert records_of(path) == RECORDS
    times = pd.to_datetime(frame()["unixReviewTime"], unit="s")
    path.write_bytes(parquet_bytes(pa.Table.from_pandas(frame().assign(unixReviewTime=times))))
    assert records_of(path) == RECORDS
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        records_of(path)


def test_parquet_ids_stored_as_bytes_are_texts(tmp_path):
    path = tmp_path / "reviews.parquet"
    users = pa.array([row["reviewerID"].encode() for row in REVIEWS])
    path.write_bytes(parquet_bytes(pa.Table.from_pandas(frame()).set_column(0, "reviewerID", users)))
    assert records_of(path) == RECORDS


def test_damaged_parquet_ends_in_one_line_without_control_bytes(tmp_path):
    path = tmp_path / "reviews.parquet"
    no_text = pa.array([b"\xff"]).view(pa.string())
    no_time = pa.array([{"at": 1 << 61}], pa.struct([("at", pa.timestamp("us"))]))
    content = parquet_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for damaged, reason in (
        (parquet_bytes(pa.table({"reviewerID": no_text})), "'utf-8' codec can't decode"),
        (parquet_bytes(pa.table({"reviewerID": no_time})), "date value out of range"),
        (content[:footer] + b"\x0e" + content[footer + 1 :], "Couldn't deserialize thrift"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"reviews\.parquet cannot be read as Parquet \({reason}") as refused:
            records_of(path)
        assert str(refused.value).isprintable()


def test_a_field_name_with_control_bytes_is_quoted_without_them(tmp_path):
    path = tmp_path / "reviews.parquet"
    rows = [{"user_id": "u", "item_id": "i", "\x1b[31mdate": "2014-01-01"}]
    path.write_bytes(parquet_bytes(pa.Table.from_pylist(rows)))
    with pytest.raises(InputError, match="has \N{REPLACEMENT CHARACTER}\\[31mdate: '2014-01-01'"):
        records_of(path)


def test_ratings_of_the_2018_release_have_the_item_first(tmp_path, caplog):
    rows = [(f"B00000{n:04d}", f"A1V6B6TNIC{n:04d}") for n in range(3)]
    path = tmp_path / "reviews.csv"
    path.write_text("".join(f"{item},{user},5.0,1424304000\n" for item, user in rows))
    with caplog.at_level(logging.INFO, "pulse"):
        assert [record[:2] for record in records_of(path)] == [(user, item) for item, user in rows]
    assert "no header: its columns are read as item_id, user_id, rating, timestamp" in caplog.text


OTHERS = {
    "an HTML or XML page": b"<!DOCTYPE html>\n<html><body>404</body></html>",
    "a Git LFS pointer, not the data: run git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "UTF-16: convert it with iconv": TEXT["JSON lines"].encode("utf-16"),
    "UTF-16: convert it": TEXT["JSON lines"].encode("utf-16-le"),
    "column-wise JSON": frame().to_json().encode(),
    "is column-wise JSON": frame().to_json(orient="split").encode(),
    "one JSON object around a list: write the list under 'reviews' alone": (
        b'{"reviews": ' + frame().to_json(orient="records").encode() + b"}"
    ),
    "Python's print of a list": repr(REVIEWS).encode(),
    "Python's print of a list or of a dict over several lines: write it with json.dump": b"{'user_id': 'u',\n 'x': 1}",
    "a ZIP archive": b"PK\x03\x04" + bytes(range(256)),
    "compressed with bzip2": bz2.compress(b"x" * 100),
    "compressed twice with gzip": gzip.compress(gzip.compress(b"x")),
    "binary data": b"\x93NUMPY" + bytes(1000),
    r"line 3 is not UTF-8: if it is Latin-1.*iconv": TEXT["CSV"].encode("latin-1"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_unsupported_formats_are_named(tmp_path, what):
    path = tmp_path / "reviews.jsonl.gz"
    for content in (OTHERS[what], gzip.compress(OTHERS[what])):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"reviews\.jsonl\.gz.*{what}"):
            read_review_columns(path, SETTINGS)


def test_latin_1_lines_are_named_as_such(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_bytes("\n".join(json.dumps(r, ensure_ascii=False) for r in REVIEWS).encode("latin-1"))
    with pytest.raises(InputError, match=r"7 of 7 lines.*not UTF-8; if it is Latin-1.*iconv -f CP1252"):
        read_review_columns(path, SETTINGS)


def test_unknown_field_names_are_listed(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps({"customer": "a", "sku": "b"}) + "\n" for _ in range(3)))
    with pytest.raises(InputError, match=r"3 of 3 lines.*Most often: no user id; its keys are customer, sku"):
        read_review_columns(path, SETTINGS)


def test_malformed_lines_are_reported_by_file_line_without_control_bytes(tmp_path, caplog):
    path = tmp_path / "reviews.csv"
    rows = TEXT["CSV"].splitlines()
    path.write_text("\n".join([*rows[:3], "U1,I1", *rows[3:]]))
    settings = CorpusSettings(max_malformed_share=1)
    assert read_review_columns(path, settings).malformed == 1
    assert "line 4 is malformed" in caplog.text and "2 cells instead of 5: U1,I1" in caplog.text
    caplog.clear()
    path.write_bytes(b'{"reviewerID": "U", "asin": "I"}\n{\x1b]0;title\x07 "x"}\n')
    assert read_review_columns(path, settings).malformed == 1
    assert "line 2 is malformed (not JSON: " in caplog.text and "line 1" not in caplog.text
    assert "\x1b" not in caplog.text and "\x07" not in caplog.text


def test_malformed_json_array_elements_are_reported_by_record(tmp_path, caplog):
    path = tmp_path / "reviews.json"
    path.write_text(json.dumps([*REVIEWS[:2], {"asin": "I1"}, 5, *REVIEWS[2:]]))
    assert read_review_columns(path, CorpusSettings(max_malformed_share=1)).malformed == 2
    assert "record 3 is malformed (no user id)" in caplog.text and "record 4 is malformed" in caplog.text
    path.write_text(json.dumps(REVIEWS)[:-30])
    with pytest.raises(InputError, match="record 7 is not JSON"):
        read_review_columns(path, SETTINGS)


def test_a_record_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(unpack, "READ_BYTES", 100)
    path = tmp_path / "reviews.json"
    for start in ("[{", '{"x": "y" '):
        path.write_text(start + " " * 5000)
        with pytest.raises(InputError, match=r"reviews\.json"):
            list(line_blocks(path))


def test_a_gzip_file_with_trailing_bytes_is_not_called_cut_off(tmp_path):
    path = tmp_path / "reviews.jsonl.gz"
    path.write_bytes(gzip.compress(TEXT["JSON lines"].encode()) + b"<html>error</html>")
    with pytest.raises(InputError, match=r"other bytes after its gzip data.*gzip -dc reviews\.jsonl\.gz > reviews"):
        records_of(path)


def test_a_corpus_without_metadata_has_ids_for_titles(tmp_path, caplog):
    (tmp_path / "reviews.csv").write_text(TEXT["CSV"])
    (tmp_path / "reviews.csv.gz").write_bytes(gzip.compress(TEXT["TSV"].encode()))
    out = tmp_path / "corpus"
    statistics = build_corpus(tmp_path / "reviews.csv.gz", None, SETTINGS, out, "files")
    items = pd.read_parquet(out / "items.parquet")
    assert items["title"].tolist() == items["item_id"].tolist() and not items["has_title"].any()
    assert statistics["items_without_metadata"] == 7 and statistics["metadata_sha256"] == ""
    assert "no metadata file" in caplog.text
    assert "reviews.csv.gz is read; reviews.csv beside it is ignored" in caplog.text


def test_configured_field_names_are_read(tmp_path):
    reviews = csv_text(
        reviewerID="customer", asin="sku", overall="stars", unixReviewTime="bought at", reviewText="body"
    )
    (tmp_path / "reviews.csv").write_text(reviews)
    (tmp_path / "metadata.csv").write_text("".join(f"{line}\n" for line in ["sku,name", "0000,First", "0001,Second"]))
    names = {"user": "customer", "item": "sku", "rating": "stars", "time": "bought at", "text": "body", "title": "name"}
    settings = CorpusSettings(k_core=1, fields=names)
    columns = read_review_columns(tmp_path / "reviews.csv", settings)
    assert (columns.milliseconds // 1000).tolist() == [record[3] for record in RECORDS]
    build_corpus(tmp_path / "reviews.csv", tmp_path / "metadata.csv", settings, tmp_path / "corpus", "files")
    assert pd.read_parquet(tmp_path / "corpus" / "items.parquet")["title"].tolist()[:3] == ["First", "Second", "0002"]
    assert pd.read_parquet(tmp_path / "corpus" / "reviews.parquet")["text"][0] == 'Some "text", 0 more é'
