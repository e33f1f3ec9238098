import gzip
import json
import logging
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pulse_core.data import review_columns, review_texts, unpack
from pulse_core.data.json_lines import ParsedLines, parse_lines, parse_object
from pulse_core.data.raw_reader import fields_of
from pulse_core.data.review_columns import read_review_columns
from pulse_core.data.review_texts import clean_column, write_reviews
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.text import cut_at_word, plain_text
from pulse_core.errors import InputError
from tests.data.raw_files import grid, real_domain, review, write_lines

SETTINGS = CorpusSettings(max_malformed_share=1, quoted_lines=10_000, row_group=50)
NAMES = {
    2018: ("reviewerID", "asin", "overall", "unixReviewTime", "summary", "reviewText"),
    2023: ("user_id", "parent_asin", "rating", "timestamp", "title", "text"),
}
GOOD = ('"U1"', '"I1"', "4.0", "1500000000", '"Head"', '"A text"')
# JSON values and near misses on which parsers are known to differ.
VALUES = [
    *('""', '"x"', "null", "true", "0", "5", "-5", "4.5", "1e3", "1e400", "-0.0", '"5"', '" 7 "', '"five"', "[]", "{}"),
    *('["a", "b"]', '{"a": 1}', "1500000000123", "99999999999999999", "9223372036854775808", "1.5e9", "-99999999999"),
    *("NaN", "Infinity", "-Infinity", "-  NaN", "[NaN]", "Inf", '"say, NaN"', '"x: Infinity"', "01", "1.", ".5", "+1"),
    *("nul", "True", "'x'", "", "1 2", '"a" "b"', "[1,]", "0x10", "1_0", '"a\tb"', '"a\x00b"', '"\x7f"', r'"\x"'),
    *(r'"\ud800"', r'"\ud83d\ude0a"', r'"\udc00"', r'"\u12G4"', r'"a\nb\u00e9 &amp; <b>c</b>"', '"  two  spaces "'),
    *('"é ☃\u200b"', '"' + "long word " * 60 + '"', '"a}\\n{b"', '1, "z": 2', '1} {"z": 2'),
]
LINES = [
    *(
        "",
        "   ",
        "{not json",
        "[1, 2]",
        "{}",
        "}",
        "{",
        "null",
        '{"asin": "I1"}',
        '{"reviewerID": "U1"',
        "\x0b",
        "{}{}",
    ),
    *(b'{"reviewerID": "U1", "asin": "I1", "x": "\xff\xfe"}', b'{"reviewerID": "\xff", "asin": "I1"}', b"\xed\xa0\x80"),
    '{"reviewerID": "U1", "asin": "I1"}{"reviewerID": "U2", "asin": "I1"}',
    '{"reviewerID": "U1", "asin": "I1", "asin": "I2", "unixReviewTime": 5}',
    '{"\\u0061sin": "I1", "reviewerID": "U1", "unixReviewTime": 5}',
    ' {"reviewerID": "U1", "asin": "I1", "unixReviewTime": 5} ',
    '{"reviewerID": "U1", "asin": "I1", "unixReviewTime": 5}\r',
    '{"reviewerID": "U1", "x": {"y": {}',  # an object split over two lines; objects and lines still number the same
    '{"y": {}}, "asin": "I1"}',
]


def lines_of_a_release(year: int) -> list[str | bytes]:
    """Valid lines, each value under each key and under an unread key, and keys missing or of both releases."""
    names, others = NAMES[year], NAMES[4041 - year]

    def line(values: dict[str, str]) -> str:
        return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"

    good = dict(zip(names, GOOD, strict=True))
    out: list[str | bytes] = [line({**good, names[0]: f'"U{n % 7}"', names[1]: f'"I{n % 5}"'}) for n in range(200)]
    out += [line({**good, name: value}) for name in (*names, *others, "vote") for value in VALUES]
    for name, other in zip(names, others, strict=True):
        rest = {key: value for key, value in good.items() if key != name}
        out += [line(rest), *(line({**rest, other: value}) for value in VALUES)]
    return out + LINES


def reference_parse(block, fields):
    """parse_lines with the standard library, one line and one field at a time."""
    columns, positions, faults = [[] for _ in fields], [], []
    for position, line in enumerate(block.split(b"\n")):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode().encode("utf-8"), parse_constant=lambda _: None)
            assert isinstance(record, dict)
            read = [name for field in fields if not field.is_text for name in field.names]
            assert not any(isinstance(record.get(name), bool | list | dict) for name in read)
        except (ValueError, AssertionError) as error:
            faults.append((position, str(error)))
            continue
        positions.append(position)
        for column, field in zip(columns, fields, strict=True):
            missing = (None,) if field.is_text else (None, "")
            values = [record.get(name) for name in field.names]
            value = next((value for value in values if value not in missing), values[-1])
            column.append(
                value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
            )
    return ParsedLines(columns, np.array(positions, np.int64), faults, block, block.count(b"\n") + 1)


def use_reference_parser(monkeypatch):
    """Parse lines with the reference parser and convert each value separately."""
    for module in (review_columns, review_texts):
        monkeypatch.setattr(module, "parse_lines", reference_parse)
    monkeypatch.setattr(review_columns, "_usual_rows", lambda parsed: None)


def read_and_write(path, out, caplog):
    caplog.clear()
    with caplog.at_level(logging.WARNING, "pulse"):
        columns = read_review_columns(path, SETTINGS)
    users, items = columns.users, columns.items
    with_text = write_reviews(out, path, columns.rows, users, items, SETTINGS)
    times = None if columns.milliseconds is None else (columns.milliseconds // 1000).tolist()
    names = columns.user_names.to_pylist(), columns.item_names.to_pylist()
    ids = [names[0][code] for code in users], [names[1][code] for code in items]
    ratings = np.nan_to_num(columns.ratings, nan=-1).tolist()
    warnings = [record.getMessage().partition(" is malformed (")[0] for record in caplog.records]
    parsed = (ids, ratings, times, columns.rows.tolist(), *names, columns.lines)
    return *parsed, columns.malformed, warnings, with_text, out.read_bytes()


@pytest.mark.parametrize("step", [600, 1 << 20])
@pytest.mark.parametrize("releases", [(2018,), (2023,), (2018, 2023)])
def test_fast_parser_equals_the_reference_on_dirty_files(tmp_path, monkeypatch, caplog, releases, step):
    lines = [line for year in releases for line in lines_of_a_release(year)]
    random.Random(1).shuffle(lines)
    path = write_lines(tmp_path / "reviews.jsonl.gz", lines)
    monkeypatch.setattr(unpack, "UNPACKED_BYTES", step)
    fast = read_and_write(path, tmp_path / "quick.parquet", caplog)
    assert fast[6] > 500 and 100 < fast[7] < fast[6] - 200  # both valid and malformed lines
    use_reference_parser(monkeypatch)
    reference = read_and_write(path, tmp_path / "plain.parquet", caplog)
    assert fast == reference


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("year", [2018, 2023])
def test_fast_parser_equals_the_reference_on_each_value(tmp_path, monkeypatch, caplog, year, value):
    """Only one of three lines varies, so no other odd line can send the block down the slow path."""
    good = dict(zip(NAMES[year], GOOD, strict=True))
    for name in (*NAMES[year], *NAMES[4041 - year], "vote"):
        keys = {**good, name: value}
        middle = "{" + ", ".join(f'"{key}": {raw}' for key, raw in keys.items()) + "}"
        first = "{" + ", ".join(f'"{key}": {raw}' for key, raw in good.items()) + "}"
        path = write_lines(tmp_path / "reviews.jsonl", [first, middle, first], packed=False)
        fast = read_and_write(path, tmp_path / "quick.parquet", caplog)
        with monkeypatch.context() as patch:
            use_reference_parser(patch)
            assert fast == read_and_write(path, tmp_path / "plain.parquet", caplog), middle


@pytest.mark.parametrize("year", [2018, 2023])
def test_malformed_and_blank_lines_are_not_rows(year):
    names = NAMES[year]
    good = "{" + ", ".join(f'"{name}": {value}' for name, value in zip(names, GOOD, strict=True)) + "}"
    lines = [good, "", good, good[:30], "<html>", good, good[:-1] + ', "vote": "a NaN"}', good]
    parsed = parse_lines("\n".join(lines).encode(), fields_of(("user", "item", "rating", "time"), SETTINGS))
    assert parsed.positions.tolist() == [0, 2, 5, 6, 7] and [position for position, _ in parsed.faults] == [3, 4]
    assert parsed.columns[0] == ["U1"] * 5 and parsed.columns[3] == [1_500_000_000] * 5


@pytest.mark.parametrize("lines", [["{0}{0}", "", "{0}"], ["{0} {0}", "", "{0}"], ["", "{0}{0}", "{0}"]])
def test_two_objects_on_a_line_do_not_pass_for_two_lines(lines):
    good = "{" + ", ".join(f'"{name}": {value}' for name, value in zip(NAMES[2018], GOOD, strict=True)) + "}"
    block = "\n".join(lines).replace("{0}", good).encode()
    parsed = parse_lines(block, fields_of(("user", "item", "rating", "time"), SETTINGS))
    assert parsed.positions.tolist() == [2] and [position for position, _ in parsed.faults] == [
        lines.index(next(line for line in lines if len(line) > 3))
    ]


@pytest.mark.parametrize("limit", [0, 1, 20, 400])
def test_clean_column_equals_cleaning_each_text(limit):
    texts = [plain for value in VALUES if value.startswith('"') and (plain := value.strip('"')) is not None]
    texts += [
        "",
        " ",
        " x",
        "x ",
        "a  b",
        "a\tb",
        "a\nb",
        "a b",
        "5 < 6",
        "[x]",
        "[[ASIN:B1 Name]]",
        "x" * 400,
        "x" * 401,
    ]
    texts += ["ends with one ", " begins with one", "&amp;amp;quot;", "caf\u00e9", "a\u00a0b", "", "a b c"] * 2
    random.Random(2).shuffle(texts)
    column = pa.array([*texts, None, *texts], pa.string())
    expected = [cut_at_word(plain_text(text), limit) for text in texts]
    assert clean_column(column, limit).to_pylist() == [*expected, "", *expected]
    assert clean_column(column.slice(3, 20), limit).to_pylist() == [*expected, "", *expected][3:23]
    assert clean_column(pa.array([], pa.string()), limit).to_pylist() == []


def test_clean_column_on_real_texts():
    with gzip.open(real_domain("gift_cards") / "reviews.jsonl.gz", "rb") as lines:
        texts = [parse_object(line).get("reviewText", "") for line in lines]
    assert clean_column(pa.array(texts, pa.string()), 400).to_pylist() == [
        cut_at_word(plain_text(t), 400) for t in texts
    ]


def test_lone_surrogates_and_huge_numbers_drop_no_line(tmp_path, caplog):
    """Dumps cut texts in the middle of an emoji; a lone surrogate, in an id too, becomes U+FFFD."""
    texts = [r'"so \ud83d"', r'"\ude0a so"', r'"\ud83d\ude0a"', r'"a\\ud83d"', "1e400"]
    lines = [
        f'{{"reviewerID": "U{n}", "asin": "I1", "unixReviewTime": 5, "vote": 1e400, "reviewText": {text}}}'
        for n, text in enumerate(texts)
    ]
    lines.append(r'{"reviewerID": "U\ud83d", "asin": "I1", "unixReviewTime": 5}')
    path = write_lines(tmp_path / "reviews.jsonl", lines, packed=False)
    parsed = read_and_write(path, tmp_path / "out.parquet", caplog)
    assert parsed[7] == 0 and parsed[4] == ["U0", "U1", "U2", "U3", "U4", "U\ufffd"]
    written = pq.read_table(tmp_path / "out.parquet")["text"].to_pylist()
    assert written == ["so \ufffd", "\ufffd so", "\U0001f60a", r"a\ud83d", "", ""]


def test_nesting_too_deep_to_parse_is_malformed(tmp_path):
    lines = [review("U1", "I1", 5), '{"reviewerID": "U2", "asin": "I1", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"]
    columns = read_review_columns(write_lines(tmp_path / "reviews.jsonl", lines, packed=False), SETTINGS)
    assert columns.user_names.to_pylist() == ["U1"] and columns.malformed == 1


def test_a_file_that_changed_between_the_two_passes_is_named(tmp_path):
    path = write_lines(tmp_path / "reviews.jsonl", [review("U1", "I1", 5), review("U2", "I1", 6)], packed=False)
    columns = read_review_columns(path, SETTINGS)
    path.write_bytes(path.read_bytes().replace(b'"U2"', b'"U2,'))
    with pytest.raises(InputError, match=r"reviews\.jsonl, line 2 could be read once and cannot be read again"):
        write_reviews(tmp_path / "out", path, columns.rows, columns.users, columns.items, SETTINGS)


def test_codes_follow_first_appearance_whatever_the_dictionary_size(tmp_path, monkeypatch):
    rows = grid(12, 9)
    random.Random(5).shuffle(rows)
    path = write_lines(tmp_path / "reviews.jsonl.gz", rows)
    monkeypatch.setattr(unpack, "UNPACKED_BYTES", 500)
    for size in (1, 10, 1 << 19):
        monkeypatch.setattr(review_columns, "ROWS_PER_DICTIONARY", size)
        columns = read_review_columns(path, SETTINGS)
        names = columns.user_names.to_pylist()
        assert names == list(dict.fromkeys(row["reviewerID"] for row in rows))
        assert [names[code] for code in columns.users] == [row["reviewerID"] for row in rows]
        assert columns.item_names.take(columns.items).to_pylist() == [row["asin"] for row in rows]
