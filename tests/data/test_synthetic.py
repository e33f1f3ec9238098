"""The synthetic corpora: determinism, 2018 schema, dirt, a planted driver per purchase, a learnable signal."""

import gzip
import html
import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pulse_core.artifacts import read_json
from pulse_core.data.synthetic.behaviour import BLOCK, simulate_block
from pulse_core.data.synthetic.catalogue import HEADLINE, domain_drivers, make_catalogue
from pulse_core.data.synthetic.vocabulary import (
    BRAND_ENDS,
    BRAND_STARTS,
    BRAND_TAILS,
    DESCRIPTION_FRAMES,
    DRIVERS,
    GROUPS,
    KINDS,
    REVIEW_FRAMES,
    VARIANTS,
)
from pulse_core.data.synthetic.writer import generate_domain
from pulse_core.data.synthetic_settings import DirtSettings, SyntheticSettings
from pulse_core.errors import InputError

SEED = 7
SMALL = SyntheticSettings(users=60, items=60, dirt=DirtSettings(malformed_lines=0.009))
FILES = ("reviews.jsonl.gz", "metadata.jsonl.gz", "truth.parquet", "truth-drivers.json", "source.json")
REVIEW_KEYS = {
    "overall", "verified", "reviewTime", "reviewerID", "asin", "reviewerName", "reviewText", "summary",
    "unixReviewTime",
}  # fmt: skip
METADATA_KEYS = {
    "category", "tech1", "description", "fit", "title", "also_buy", "tech2", "brand", "feature", "rank", "also_view",
    "details", "main_cat", "similar_item", "date", "price", "asin", "imageURL", "imageURLHighRes",
}  # fmt: skip


def names_driver(text: str, keywords: tuple[str, ...]) -> bool:
    """Whether a word of `text` starts with one of the driver's keywords."""
    return any(re.search(rf"(?<![a-z]){re.escape(word)}", text.lower()) for word in keywords)


def read_lines(path: Path) -> tuple[list[dict], int]:
    """(rows, number of broken lines); a row without item, user or time is broken."""
    rows, broken = [], 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                broken += 1
                continue
            needed = ("asin", "reviewerID", "unixReviewTime") if path.name.startswith("reviews") else ("asin",)
            if all(key in row for key in needed):
                rows.append(row)
            else:
                broken += 1
    return rows, broken


@pytest.fixture(scope="module")
def luxury(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The luxury domain of the default settings, read back from its files."""
    out = tmp_path_factory.mktemp("luxury")
    generate_domain(SyntheticSettings(), "luxury", SEED, out)
    reviews, broken_reviews = read_lines(out / "reviews.jsonl.gz")
    metadata, broken_metadata = read_lines(out / "metadata.jsonl.gz")
    truth = pd.read_parquet(out / "truth.parquet")
    return SimpleNamespace(
        out=out, reviews=reviews, metadata=metadata, broken=(broken_reviews, broken_metadata), truth=truth,
        table=pd.DataFrame(reviews),
    )  # fmt: skip


def five_core(table: pd.DataFrame, user: str, item: str) -> pd.DataFrame:
    """Rows that survive the iterated 5-core filter."""
    while True:
        keep = (table.groupby(user)[item].transform("size") >= 5) & (table.groupby(item)[user].transform("size") >= 5)
        if keep.all():
            return table
        table = table[keep]


# --- files -----------------------------------------------------------------------------------------------------------


def test_the_seed_determines_the_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        generate_domain(SMALL, "games", seed, tmp_path / name)
    for file in FILES:
        one, two = (tmp_path / "one" / file).read_bytes(), (tmp_path / "two" / file).read_bytes()
        assert one == two, f"{file} differs between two runs with the same seed"
    assert (tmp_path / "one" / FILES[0]).read_bytes() != (tmp_path / "three" / FILES[0]).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(FILES), "a part file was left behind"


def test_a_domain_does_not_depend_on_domains_generated_before(tmp_path: Path) -> None:
    generate_domain(SMALL, "pantry", 3, tmp_path / "alone")
    generate_domain(SMALL, "luxury", 3, tmp_path / "luxury")
    generate_domain(SMALL, "pantry", 3, tmp_path / "after")
    assert (tmp_path / "alone" / FILES[0]).read_bytes() == (tmp_path / "after" / FILES[0]).read_bytes()


def test_gzip_header_holds_neither_name_nor_time(luxury: SimpleNamespace) -> None:
    header = (luxury.out / "reviews.jsonl.gz").read_bytes()[:10]
    assert header[3] == 0 and header[4:8] == bytes(4)


def test_an_unknown_domain_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'shoes'.*games, luxury, pantry"):
        generate_domain(SMALL, "shoes", 1, tmp_path)


def test_ids_and_source_json_mark_the_corpus_as_synthetic(luxury: SimpleNamespace) -> None:
    source = read_json(luxury.out / "source.json")
    assert source["corpus"] == "synthetic" and source["seed"] == SEED and source["domain"] == "luxury"
    assert source["settings"] == SyntheticSettings().model_dump()
    assert all("SYN" in row["reviewerID"] and row["asin"].startswith("SYN") for row in luxury.reviews)


def test_ids_are_unique_and_differ_between_domains(luxury: SimpleNamespace, tmp_path: Path) -> None:
    generate_domain(SMALL, "games", SEED, tmp_path)
    other, _ = read_lines(tmp_path / "reviews.jsonl.gz")
    assert not {row["reviewerID"] for row in other} & {row["reviewerID"] for row in luxury.reviews}
    assert not {row["asin"] for row in other} & {row["asin"] for row in luxury.reviews}
    total = SyntheticSettings().users + round(SyntheticSettings().users * SyntheticSettings().light_users)
    assert luxury.table.reviewerID.nunique() == total
    assert len({row["asin"] for row in luxury.metadata}) == SyntheticSettings().items


# --- schema ----------------------------------------------------------------------------------------------------------


def test_reviews_have_the_2018_schema(luxury: SimpleNamespace) -> None:
    for row in luxury.reviews:
        assert set(row) <= REVIEW_KEYS and REVIEW_KEYS - set(row) <= {"reviewText", "summary"}
        assert row["overall"] in {1.0, 2.0, 3.0, 4.0, 5.0} and isinstance(row["overall"], float)
        assert isinstance(row["unixReviewTime"], int) and row["unixReviewTime"] % 86_400 == 0
    row = luxury.reviews[0]
    day = pd.Timestamp(row["unixReviewTime"], unit="s")
    assert row["reviewTime"] == f"{day:%m} {day.day}, {day.year}"


def test_metadata_has_the_2018_schema(luxury: SimpleNamespace) -> None:
    for row in luxury.metadata:
        assert METADATA_KEYS - set(row) <= {"title"} and set(row) <= METADATA_KEYS
        assert isinstance(row["category"], list) and isinstance(row["description"], list)
        assert row["price"] == "" or float(row["price"].removeprefix("$").replace(",", "")) > 0


def test_titles_are_short_and_descriptions_name_every_driver() -> None:
    for domain in GROUPS:
        catalogue = make_catalogue(SyntheticSettings(), domain, SEED)
        for item, (title, text) in enumerate(zip(catalogue.titles, catalogue.descriptions, strict=True)):
            assert len(title.split()) <= 12 and title.startswith(catalogue.brands[catalogue.brand[item]])
            assert len(text) <= 290, "the corpus stage cuts descriptions at 300 characters"
            for place, driver in enumerate(catalogue.drivers):
                assert names_driver(text, driver.keywords) == (catalogue.strength[item, place] > 0), (text, driver.name)
                assert names_driver(title, driver.keywords) == (catalogue.strength[item, place] == HEADLINE), (
                    title,
                    driver.name,
                )
        assert 0.82 < (catalogue.strength == HEADLINE).any(axis=1).mean() < 0.97
        assert len(set(catalogue.titles)) == len(catalogue.titles)


# --- dirt ------------------------------------------------------------------------------------------------------------


def test_the_dirt_of_real_dumps_is_there(luxury: SimpleNamespace) -> None:
    table = luxury.table
    assert 0.005 < table.duplicated(["reviewerID", "asin"]).mean() < 0.04
    assert 0.1 < table.duplicated(["reviewerID", "unixReviewTime"]).mean() < 0.35
    assert 0 < luxury.broken[0] < 0.01 * len(table) and luxury.broken[1] < 0.01 * len(luxury.metadata)
    assert (table.reviewText == "").any() and table.reviewText.isna().any()
    assert table.reviewText.str.contains("&#x27;|&amp;").any()
    titles = [row.get("title", "") for row in luxury.metadata]
    assert any(title.startswith(("<", "&nbsp;")) for title in titles) and "" in titles
    assert any("&amp;" in title for title in titles) and any("&ndash;" in title for title in titles)
    assert len(luxury.metadata) > len({row["asin"] for row in luxury.metadata})


def test_dirt_can_be_switched_off(tmp_path: Path) -> None:
    clean = DirtSettings(
        same_day=0,
        duplicates=0,
        empty_reviews=0,
        missing_titles=0,
        junk_titles=0,
        repeated_metadata=0,
        malformed_lines=0,
    )
    generate_domain(SMALL.model_copy(update={"dirt": clean}), "pantry", SEED, tmp_path)
    reviews, broken = read_lines(tmp_path / "reviews.jsonl.gz")
    metadata, _ = read_lines(tmp_path / "metadata.jsonl.gz")
    assert broken == 0 and all(row["reviewText"] for row in reviews)
    assert len(metadata) == SMALL.items and all("<" not in row["title"] for row in metadata)
    assert not pd.DataFrame(reviews).duplicated(["reviewerID", "asin"]).any()


# --- truth and words -------------------------------------------------------------------------------------------------


def test_the_truth_covers_every_purchase_once(luxury: SimpleNamespace) -> None:
    truth = luxury.truth
    assert (
        list(truth.columns) == ["user_id", "item_id", "driver"] and not truth.duplicated(["user_id", "item_id"]).any()
    )
    pairs = set(zip(luxury.table.reviewerID, luxury.table.asin, strict=True))
    assert set(zip(truth.user_id, truth.item_id, strict=True)) == pairs
    assert set(truth.driver) <= set(read_json(luxury.out / "truth-drivers.json"))


def test_most_reviews_name_their_driver_and_the_rating_agrees(luxury: SimpleNamespace) -> None:
    drivers = read_json(luxury.out / "truth-drivers.json")
    both = luxury.table.dropna(subset=["reviewText"]).merge(
        luxury.truth, left_on=["reviewerID", "asin"], right_on=["user_id", "item_id"]
    )
    both = both[both.reviewText != ""]
    named = [names_driver(html.unescape(t), drivers[d]) for t, d in zip(both.reviewText, both.driver, strict=True)]
    assert 0.88 < np.mean(named) < 0.99
    assert both.reviewText.nunique() > 0.75 * len(both), "texts repeat too much"
    assert 0.75 < (both.overall >= 4).mean() < 0.95


def test_every_phrase_names_only_its_driver() -> None:
    for driver in DRIVERS:
        special = itertools.chain.from_iterable(driver.special_titles.values())
        for phrase in (*driver.titles, *driver.describe, *driver.needs, *driver.met, *driver.missed, *special):
            named = [other.name for other in DRIVERS if names_driver(phrase, other.keywords)]
            assert named == [driver.name], f"{phrase!r} of {driver.name} names {named}"
        assert len(driver.met) >= 3 and len(driver.missed) >= 3 and len(driver.needs) >= 3


def test_no_other_word_of_the_generator_names_a_driver() -> None:
    frames = [frame for parts in REVIEW_FRAMES.values() for frames in parts.values() for frame in frames]
    kinds = itertools.chain.from_iterable((kind.name, *kind.sizes) for group in KINDS.values() for kind in group)
    brands = (start + end for domain in GROUPS for start in BRAND_STARTS[domain] for end in BRAND_ENDS[domain])
    others = [word for table in (VARIANTS, BRAND_TAILS) for words in table.values() for word in words]
    for words in (*frames, *DESCRIPTION_FRAMES, *kinds, *brands, *others):
        assert not [d.name for d in DRIVERS if names_driver(words, d.keywords)], words


def test_domains_share_most_drivers_but_not_all() -> None:
    names = {domain: {driver.name for driver in domain_drivers(domain)} for domain in GROUPS}
    assert len(DRIVERS) >= 36 and len(set.intersection(*names.values())) >= 15
    assert all(len(drivers) >= 25 for drivers in names.values())
    for one, two in itertools.permutations(names.values(), 2):
        assert one - two, "every domain needs drivers that another lacks"


# --- behaviour -------------------------------------------------------------------------------------------------------


def test_nobody_buys_an_item_twice_and_blocks_are_independent() -> None:
    settings = SyntheticSettings(users=BLOCK + 50, items=120, light_users=0, consideration=60)
    catalogue = make_catalogue(settings, "games", SEED)
    first = simulate_block(settings, catalogue, "games", SEED, 0, BLOCK + 50)
    second = simulate_block(settings, catalogue, "games", SEED, 1, BLOCK + 50)
    assert second.user.min() == BLOCK and second.user.max() == BLOCK + 49
    assert first.user.max() == BLOCK - 1, "user blocks must not overlap"
    assert len(np.unique(first.user * 1000 + first.item)) == len(first.user)
    assert (np.diff(first.day)[np.diff(first.user) == 0] >= 0).all(), "purchases must be in time order"
    carried = catalogue.strength[first.item, first.driver] > 0
    assert carried.mean() > 0.99, "items should carry the planted driver"


def floors(domain: str) -> dict[str, float]:
    """HR@1 of each scorer on the target and 9 uniform items, with user count and mean sequence length."""
    settings = SyntheticSettings()
    catalogue = make_catalogue(settings, domain, SEED)
    utilities: dict[tuple[int, int], np.ndarray] = {}

    def watch(step: int, users: np.ndarray, _: np.ndarray, values: np.ndarray) -> None:
        utilities.update({(int(user), step): row for user, row in zip(users, values, strict=True)})

    bought = simulate_block(settings, catalogue, domain, SEED, 0, settings.users, watch)
    table = pd.DataFrame({name: getattr(bought, name) for name in ("user", "step", "item", "driver", "day")})
    table = five_core(table, "user", "item").sort_values(["user", "step"])
    surviving, rng = np.unique(table["item"]), np.random.default_rng(0)
    popularity = np.bincount(table["item"], minlength=settings.items)
    carries, in_title = catalogue.strength > 0, catalogue.strength == HEADLINE
    hits: dict[str, list[bool]] = {}
    for user, rows in table.groupby("user"):
        items = rows["item"].to_numpy()
        history, target = items[:-1], items[-1]
        others = rng.choice(np.setdiff1d(surviving, items), 9, replace=False)
        candidates = np.concatenate([[target], others])
        brands = np.bincount(catalogue.brand[history], minlength=len(catalogue.brands))[catalogue.brand[candidates]]
        wanted = np.bincount(rows["driver"].to_numpy()[:-1], minlength=len(catalogue.drivers))
        seen = carries[history].sum(axis=0) * np.log(len(carries) / np.maximum(carries.sum(axis=0), 1))
        scores = {
            "popularity": popularity[candidates],
            "brand repeat": brands + 1e-6 * popularity[candidates],
            "history's drivers": carries[candidates] @ seen,
            "drivers of reviews, titles only": in_title[candidates] @ wanted + 0.8 * brands,
            "drivers of reviews": carries[candidates] @ wanted + 0.8 * brands,
            "oracle": utilities[int(user), int(rows["step"].iloc[-1])][candidates],
        }
        for name, score in scores.items():
            hits.setdefault(name, []).append(bool(score[0] > np.max(score[1:] + 1e-9 * rng.random(9))))
    return {"users": float(table["user"].nunique()), "mean": len(table) / table["user"].nunique()} | {
        name: float(np.mean(values)) for name, values in hits.items()
    }


@pytest.mark.parametrize("domain", sorted(GROUPS))
def test_drivers_of_reviews_beat_brand_repeat(domain: str) -> None:
    measured = floors(domain)
    assert 1100 <= measured["users"] <= 1200 and 7 <= measured["mean"] <= 10
    assert 0.1 < measured["popularity"] < 0.26
    assert 0.35 < measured["brand repeat"] < 0.5, "real Luxury Beauty has .37-.43"
    assert measured["history's drivers"] > 0.38
    assert measured["drivers of reviews, titles only"] > measured["brand repeat"] + 0.08
    assert measured["drivers of reviews"] > measured["brand repeat"] + 0.12
    assert 0.8 < measured["oracle"] < 0.95
