import hashlib
import json
import random

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pulse_core.artifacts import sha256_of
from pulse_core.data.corpus import build_corpus
from pulse_core.data.recorded import write_record
from pulse_core.data.settings import CorpusSettings
from pulse_core.errors import InputError
from tests.data.raw_files import grid, real_domain, review, write_domain

TABLES = ("interactions", "users", "items", "reviews")


def build(folder, reviews, metadata, source="amazon-2018", **settings):
    out = folder / "corpus"
    statistics = build_corpus(*write_domain(folder, reviews, metadata), CorpusSettings(**settings), out, source)
    return statistics, {name: pd.read_parquet(out / f"{name}.parquet") for name in TABLES}


@pytest.mark.parametrize(
    ("domain", "users", "items", "interactions"),
    [("gift_cards", 453, 147, 2_941), ("luxury", 2_028, 936, 20_050)],
)
def test_real_counts(tmp_path, domain, users, items, interactions):
    folder = real_domain(domain)
    raw = folder / "reviews.jsonl.gz", folder / "metadata.jsonl.gz"
    statistics = build_corpus(*raw, CorpusSettings(), tmp_path, "amazon-2018")
    assert (statistics["users"], statistics["items"], statistics["interactions"]) == (users, items, interactions)
    table = pd.read_parquet(tmp_path / "interactions.parquet")
    assert len(table) == interactions and not table.duplicated(["user", "item"]).any()
    assert min(table["user"].value_counts().min(), table["item"].value_counts().min()) >= 5
    titles = pd.read_parquet(tmp_path / "items.parquet")["title"]
    assert not titles.str.contains(r"&amp;|&#39;|&quot;|<br", regex=True).any()
    if domain == "gift_cards":
        assert statistics["duplicates_removed"] == 7 and statistics["users_with_one_timestamp"] == 146
        assert statistics["has_timestamps"] and 0.5 < statistics["tied_timestamp_share"] < 1
    else:
        assert not statistics["has_timestamps"] and statistics["tied_timestamp_share"] is None
        assert table["timestamp"].isna().all() and statistics["items_without_title"] == 1


def test_tables_and_statistics_by_hand(tmp_path):
    reviews = [
        review("Ub", "I2", 300, overall=4.0, summary="Good &amp; solid", reviewText="<b>Fine</b>"),
        review("Ua", "I1", 100, overall=5.0, reviewText="First"),
        review("Ub", "I1", 100),
        review("Ua", "I2", 100, overall=3.0),  # ties with the row above it
        review("Ua", "I1", 50, overall=1.0, reviewText="Earlier"),  # of duplicates the earliest is kept
        review("Uc", "I3", 10),  # removed by the 2-core filter
    ]
    metadata = [
        {"asin": "I1", "title": "<script>getTime()</script>", "brand": "Junk"},
        {"asin": "I9", "title": "Not in the corpus"},
        {"asin": "I1", "title": "Hand &amp;amp; Foot", "brand": "by Acme", "price": "$3.50", "category": ["A", "B"]},
        {"asin": "I1", "title": "Too late"},
        {"asin": "I2", "title": ""},
    ]
    statistics, tables = build(tmp_path, reviews, metadata, k_core=2)
    assert tables["users"].to_dict("list") == {"user": [0, 1], "user_id": ["Ua", "Ub"]}
    interactions = tables["interactions"]
    assert interactions[["user", "item", "timestamp", "row"]].to_numpy().tolist() == [
        [0, 0, 50, 4],
        [0, 1, 100, 3],
        [1, 0, 100, 2],
        [1, 1, 300, 0],
    ]
    assert interactions["rating"].fillna(-1).tolist() == [1, 3, -1, 4]
    items = tables["items"]
    assert items["title"].tolist() == ["Hand & Foot", "I2"] and items["has_title"].tolist() == [True, False]
    assert (items["brand"][0], items["price"][0], items["category"][0]) == ("Acme", 3.5, "B")
    texts = {(r.user, r.item): (r.summary, r.text) for r in tables["reviews"].itertuples()}
    assert texts == {(1, 1): ("Good & solid", "Fine"), (1, 0): ("", ""), (0, 1): ("", ""), (0, 0): ("", "Earlier")}
    expected = {"users": 2, "items": 2, "interactions": 4, "density": 1.0, "mean_history": 2.0, "raw_rows": 6}
    expected |= {"duplicates_removed": 1, "items_without_title": 1, "metadata_duplicates": 2, "malformed_lines": 0}
    assert expected.items() <= statistics.items()
    assert json.loads((tmp_path / "corpus" / "statistics.json").read_bytes()) == statistics


def test_column_types(tmp_path):
    build(tmp_path, grid(5, 5), [{"asin": "I0", "title": "One"}])
    types = {name: str(pq.read_schema(tmp_path / "corpus" / f"{name}.parquet")).split("\n-- ")[0] for name in TABLES}
    assert types["interactions"].split("\n")[:5] == [
        "user: int32",
        "item: int32",
        "rating: float",
        "timestamp: int64",
        "row: int64",
    ]
    assert "has_title: bool" in types["items"] and "price: float" in types["items"]
    assert types["reviews"].split("\n")[:4] == ["user: int32", "item: int32", "summary: string", "text: string"]


def test_line_order_does_not_matter_when_times_differ(tmp_path):
    rows = grid(7, 6)
    rows += [review("U1", "I1", 5, overall=1.0), review("lone", "I1", 6)]
    shuffled = random.Random(3).sample(rows, len(rows))
    metadata = [{"asin": f"I{n}", "title": f"Item {n}"} for n in range(6)]
    _, one = build(tmp_path / "a", rows, metadata)
    _, two = build(tmp_path / "b", shuffled, metadata[::-1])
    for name in ("users", "items"):
        pd.testing.assert_frame_equal(one[name], two[name])
    pd.testing.assert_frame_equal(one["interactions"].drop(columns="row"), two["interactions"].drop(columns="row"))
    key = ["user", "item"]
    pd.testing.assert_frame_equal(
        one["reviews"].sort_values(key, ignore_index=True), two["reviews"].sort_values(key, ignore_index=True)
    )


def test_two_builds_are_byte_identical(tmp_path):
    rows = [{**row, "unixReviewTime": 7} for row in grid(6, 6)]  # all tied
    digests = []
    for name in ("a", "b"):
        build(tmp_path / name, rows, [])
        files = sorted((tmp_path / name / "corpus").iterdir())
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert digests[0] == digests[1] and len(digests[0]) == 5


def test_a_filter_that_leaves_no_user_names_the_key(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.k_core = 5 leaves no user.*16 distinct.*4 users and 4 items"):
        build(tmp_path, grid(4, 4), [])
    assert not (tmp_path / "corpus").exists()


def test_reviews_are_written_in_row_groups_of_the_configured_size(tmp_path):
    _, tables = build(tmp_path, grid(8, 8), [], row_group=10)
    file = pq.ParquetFile(tmp_path / "corpus" / "reviews.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [10] * 6 + [4]
    for row in tables["reviews"].itertuples():
        assert row.text == f"text {row.user} {row.item}"


def test_source_json_overrides_the_configured_source(tmp_path):
    (tmp_path / "source.json").write_text('{"corpus": "synthetic", "seed": 1}')
    statistics, _ = build(tmp_path, grid(5, 5), [], source="amazon-2018")
    assert statistics["corpus"] == statistics["source"] == "synthetic"


@pytest.mark.parametrize(
    "declared", ["my-shop", "[]", '{"name": "my-shop"}', '{"corpus": ""}', '{"corpus": "a\\nb"}', '{"corpus": 5}']
)
def test_source_json_without_a_corpus_name_is_refused(tmp_path, declared):
    (tmp_path / "source.json").write_text(declared)
    with pytest.raises(InputError, match=r'source\.json .* expected \{"corpus": "my-shop"\}'):
        build(tmp_path, grid(5, 5), [])


def test_a_raw_file_that_changed_is_refused(tmp_path):
    reviews, metadata = write_domain(tmp_path, grid(5, 5), [])
    write_record(reviews, sha256_of(reviews), reviews.stat().st_size, "test")
    build_corpus(reviews, metadata, CorpusSettings(), tmp_path / "corpus", "x")
    write_domain(tmp_path, grid(6, 6), [])
    with pytest.raises(InputError, match=r"reviews\.jsonl\.gz does not match its record"):
        build_corpus(reviews, metadata, CorpusSettings(), tmp_path / "corpus", "x")


def test_missing_files_name_what_to_download(tmp_path):
    raw = tmp_path / "luxury" / "reviews.jsonl.gz", tmp_path / "luxury" / "metadata.jsonl.gz"
    with pytest.raises(InputError, match=r"Luxury_Beauty_5\.json\.gz \(5-core reviews\) -> .*luxury/reviews"):
        build_corpus(*raw, CorpusSettings(), tmp_path / "corpus", "x")


def test_2023_release_end_to_end(tmp_path):
    reviews = [
        {"user_id": f"U{u}", "parent_asin": f"P{i}", "asin": "x", "rating": 5.0, "timestamp": 1_600_000_000_000 + i}
        | {"title": "Head", "text": f"Body {i}"}
        for u in range(5)
        for i in range(5)
    ]
    metadata = [
        {"parent_asin": f"P{i}", "title": f"T{i}", "store": "Shop", "main_category": "All Beauty", "categories": []}
        for i in range(5)
    ]
    _, tables = build(tmp_path, reviews, metadata)
    assert tables["items"]["brand"].tolist() == ["Shop"] * 5 and tables["items"]["title"][3] == "T3"
    assert tables["items"]["category"][0] == "All Beauty"
    assert tables["reviews"]["summary"][0] == "Head" and tables["reviews"]["text"][2] == "Body 2"


def test_milliseconds_order_within_a_second(tmp_path):
    """The file is newest first; the artifact keeps whole seconds."""
    rows = [review(f"U{u}", f"I{i}") | {"timestamp": 1_600_000_000_000 + 100 * i} for u in range(5) for i in range(5)]
    statistics, tables = build(tmp_path, rows[::-1], [])
    assert tables["interactions"]["item"].tolist() == [0, 1, 2, 3, 4] * 5
    assert set(tables["interactions"]["timestamp"]) == {1_600_000_000}
    assert statistics["tied_timestamp_share"] == 0 == statistics["users_with_one_timestamp"]


def test_users_with_a_single_timestamp_cause_a_warning(tmp_path, caplog):
    build(tmp_path, [{**row, "unixReviewTime": 7} for row in grid(5, 5)], [])
    assert "5 of 5 users have a single time for all their reviews" in caplog.text and "leave_one_out" in caplog.text
    caplog.clear()
    build(tmp_path / "b", grid(5, 5), [])
    assert "single time" not in caplog.text


def items_of(tmp_path, caplog, *metadata, reviews=None):
    caplog.clear()
    with caplog.at_level("WARNING", "pulse"):
        statistics, tables = build(tmp_path, reviews or grid(5, 5), metadata)
    return statistics, tables["items"], caplog.text


def test_metadata_that_cover_few_items_cause_a_warning(tmp_path, caplog):
    statistics, _, warnings = items_of(tmp_path, caplog, {"asin": "I0", "title": "A"}, {"asin": "I9", "title": "B"})
    assert statistics["titled_share"] == 0.2 and "only 1 of 5 items (20.0%) have a title" in warnings
    assert "Likely" not in warnings
    complete = [{"asin": f"I{n}", "title": f"T{n}"} for n in range(5)]
    statistics, _, warnings = items_of(tmp_path, caplog, *complete)
    assert statistics["titled_share"] == 1 and not warnings
    statistics, _, warnings = items_of(tmp_path, caplog, *({**row, "title": "<b></b>"} for row in complete))
    assert statistics["titled_share"] == 0 and "in 5 metadata rows: the title is markup or page code" in warnings
    for nothing in ({"title": " "}, {"title": None}, {}):
        bare = [{"asin": row["asin"], "name": row["title"]} | nothing for row in complete]
        assert "in 5 metadata rows: no `title`: name another field" in items_of(tmp_path, caplog, *bare)[2]
    mixed = [complete[0], *({**row, "asin": f" {row['asin']} "} for row in complete[1:])]
    assert "in 4 metadata rows: ids differ only in case, blanks" in items_of(tmp_path, caplog, *mixed)[2]


@pytest.mark.parametrize(
    ("item", "row", "cause"),
    [
        ("I{}", {"parent_asin": "P{}", "asin": "I{}"}, "reviews name items by `asin`, metadata by `parent_asin`"),
        ("00{}7", {"asin": "{}7"}, "leading zeros"),
        ("I{}", {"asin": "I{} "}, "blanks"),
        ("I{}", {"asin": "X{}"}, "items .* Use the same ids"),
    ],
)
def test_metadata_that_match_no_item_are_refused_with_the_cause(tmp_path, item, row, cause):
    reviews = [{**review, "asin": item.format(review["asin"][1:])} for review in grid(5, 5)]
    metadata = [{key: value.format(n) for key, value in row.items()} | {"title": "T"} for n in range(1, 5)]
    with pytest.raises(InputError, match=rf"metadata\.jsonl\.gz: none of its 4 rows .*{cause}"):
        build(tmp_path, reviews, metadata)


def test_titles_as_numbers_and_categories_as_text_are_read(tmp_path, caplog):
    rows = [{"asin": f"I{n}", "title": 1980 + n, "category": "Skin Care", "price": "1.299,00"} for n in range(5)]
    rows[1] |= {"category": None, "categories": ["A", "B"]}
    rows[2] |= {"category": [], "main_cat": "Main"}
    _, items, warnings = items_of(tmp_path, caplog, *rows)
    assert items["title"].tolist() == ["1980", "1981", "1982", "1983", "1984"] and not warnings
    assert items["category"].tolist() == ["Skin Care", "B", "Main", "Skin Care", "Skin Care"]
    assert items["price"].tolist() == [1299] * 5


def test_unmatched_metadata_ids_may_have_any_type(tmp_path, caplog):
    rows = [{"asin": f"I{n}", "title": "T"} for n in range(5)]
    build(tmp_path, grid(5, 5), [*rows, {"parent_asin": "P1", "asin": ["I1"]}, {"parent_asin": 7, "asin": {}}])
    assert not caplog.text
