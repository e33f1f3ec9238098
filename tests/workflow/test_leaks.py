"""Nothing leaks: held-out purchases carry unique marker words, which occur in nothing that must not know them.

Each user's validation and test items are unique and have marker titles; their reviews and the training target's have
markers, too.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from snakemake.iocontainers import InputFiles, Wildcards

from pulse_core.data.examples import training_sequences
from pulse_core.generation.fake_engine import FakeGenerator
from pulse_core.generation.requests import Completion, Request
from pulse_core.ranking.settings import RankerSettings
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.texts import behaviour_texts
from pulse_core.tree.settings import TreeSettings
from tests.workflow.workspace import ROOT, Workspace
from workflow_scripts import base_rationales, positive_rationales, tree
from workflow_scripts.shared import rationale_io
from workflow_scripts.shared.inputs import read_sampled, shop_of
from workflow_scripts.shared.thought_space_io import read_training_examples

pytestmark = pytest.mark.workflow

USERS, SHARED, BOUGHT = 24, 20, 7
HELD_OUT = re.compile(r"zq(?:val|test)\w*", re.IGNORECASE)
KEY = ["user", "split", "position"]


def write_raw(folder: Path) -> None:
    """Write the marker corpus as raw files: shared items, the last one the training target, then held-out purchases."""
    folder.mkdir(parents=True)
    reviews, metadata = [], [{"asin": f"S{item:02d}", "title": f"Plain soap number {item}"} for item in range(SHARED)]

    def review(user: int, item: str, time: int, text: str) -> dict[str, Any]:
        return {
            "reviewerID": f"U{user:02d}",
            "asin": item,
            "overall": 4.0,
            "unixReviewTime": 86_400 * time,
            "reviewText": text,
            "summary": "",
        }

    for user in range(USERS):
        bought = [f"S{(user * 3 + step * (1 + user % 4)) % SHARED:02d}" for step in range(BOUGHT)]
        bought = list(dict.fromkeys(bought))
        for time, item in enumerate(bought):
            last = time == len(bought) - 1
            reviews.append(review(user, item, time, f"zqtrain{user}u nice" if last else "washes well"))
        for time, kind in ((50, "val"), (60, "test")):
            metadata.append({"asin": f"{kind}{user}", "title": f"Zq{kind}{user}u lotion"})
            reviews.append(review(user, f"{kind}{user}", time, f"zq{kind}review{user}u good"))
    for name, rows in (("reviews", reviews), ("metadata", metadata)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class Recorder(FakeGenerator):
    """The fake engine, recording every prompt."""

    prompts: list[str]

    def __init__(self) -> None:
        self.prompts = []

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Record the prompts and answer as the fake engine does."""
        self.prompts += ["\n".join(message.content for message in request.messages) for request in requests]
        return super().generate(requests)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> Path:
    """results/marked of a run on the marker corpus, up to the selected rationales."""
    raw = tmp_path_factory.mktemp("raw")
    write_raw(raw / "marked")
    domains = {"marked": {"source": "files"}, "luxury": None}
    sample = {"sample_users": {"train": 24, "validation": 24, "test": 24}}
    values = {**config, "raw_dir": str(raw), "domains": domains, "corpus": {"k_core": 1}, "split": sample}
    workspace = Workspace.create(tmp_path_factory.mktemp("marked"), values)
    workspace.run(target="results/marked/selected/thought_space.parquet")
    return workspace.root / "results/marked"


def job(results: Path, tmp_path: Path, template: str, **params: Any) -> SimpleNamespace:
    """What Snakemake passes to a generation script."""
    files = {
        "examples": results / "examples.parquet",
        "interactions": results / "corpus/interactions.parquet",
        "catalogue": results / "corpus/items.parquet",
        "reviews": results / "corpus/reviews.parquet",
        "neighbours": results / "neighbours.parquet",
        "base": results / "rationales/base.parquet",
        "model": tmp_path / "model/model.safetensors",
        "template": ROOT / "config/prompts" / f"{template}.j2",
    }
    given = {"seed": 7, "work": str(tmp_path / "work"), "generation": {"chunk_prompts": 1000}, **params}
    return SimpleNamespace(
        rule=template,
        threads=1,
        wildcards=Wildcards(fromdict={"scatteritem": "1-of-1"}),
        resources={},
        log=[str(tmp_path / "log.txt")],
        input=InputFiles(fromdict={name: str(path) for name, path in files.items()}),
        params=SimpleNamespace(**given),
        output=[str(tmp_path / "out.parquet")],
    )


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A function that runs a generation script and returns its table and one prompt per row."""
    recorder = Recorder()
    monkeypatch.setattr(rationale_io, "make_generator", lambda *_: recorder)
    monkeypatch.setattr("workflow_scripts.job.stage.end_with_driver", lambda: None)
    monkeypatch.chdir(tmp_path)

    def run(script: Any, given: SimpleNamespace) -> tuple[pd.DataFrame, list[str]]:
        recorder.prompts.clear()
        script.main(given)
        return pd.read_parquet(given.output[0]), list(recorder.prompts)

    return run


def allowed_markers(user: int, split: str, user_ids: dict[int, str]) -> set[str]:
    """Markers allowed in texts of this example: at test, the user's validation purchase is history."""
    number = user_ids[user].removeprefix("U").lstrip("0") or "0"
    return {f"zqval{number}u", f"zqvalreview{number}u"} if split == "test" else set()


def check(texts: pd.DataFrame, column: str, user_ids: dict[int, str]) -> None:
    for user, split, text in texts[["user", "split", column]].itertuples(index=False):
        markers = {match.lower() for match in HELD_OUT.findall(text)}
        assert markers <= allowed_markers(user, split, user_ids), f"{split} of user {user}: {text}"


@pytest.fixture(scope="module")
def user_ids(marked: Path) -> dict[int, str]:
    """User ids by code."""
    return pd.read_parquet(marked / "corpus/users.parquet").set_index("user")["user_id"].to_dict()


def held_out_items(marked: Path) -> set[int]:
    items = pd.read_parquet(marked / "corpus/items.parquet")
    return set(items[items["title"].str.startswith("Zq")]["item"])


def test_the_corpus_contains_the_markers(marked: Path) -> None:
    assert len(held_out_items(marked)) == 2 * USERS
    examples = pd.read_parquet(marked / "examples.parquet")
    targets = examples[examples["split"] != "train"]["target"]
    assert set(targets) == held_out_items(marked)


def test_sasrec_and_neighbours_never_see_a_held_out_purchase(marked: Path) -> None:
    interactions = pd.read_parquet(marked / "corpus/interactions.parquet")
    learned = training_sequences(interactions, pd.read_parquet(marked / "examples.parquet"))
    assert not set(learned["item"]) & held_out_items(marked)
    neighbours = pd.read_parquet(marked / "neighbours.parquet")
    assert not set(neighbours["items"].explode().dropna()) & held_out_items(marked)


def test_positive_prompts(marked: Path, prompts: Any, tmp_path: Path, user_ids: dict[int, str]) -> None:
    settings = RationaleSettings(review_chars=400, history_items=50, title_chars=200).model_dump()
    table, texts = prompts(positive_rationales, job(marked, tmp_path, "positive", settings=settings))
    assert set(table["split"]) == {"train"} and len(texts) == USERS
    check(table.assign(prompt=texts), "prompt", user_ids)
    assert sum("zqtrain" in prompt for prompt in texts) == USERS  # here, and only here, the target's review is shown


def test_base_prompts(marked: Path, prompts: Any, tmp_path: Path, user_ids: dict[int, str]) -> None:
    settings = RationaleSettings(review_chars=400, history_items=50, title_chars=200, neighbour_items=50).model_dump()
    table, texts = prompts(base_rationales, job(marked, tmp_path, "base", settings=settings))
    assert len(texts) == 3 * USERS
    with_prompts = table.assign(prompt=texts)
    check(with_prompts, "prompt", user_ids)
    training = with_prompts[with_prompts["split"] == "train"]["prompt"]
    assert not training.str.contains("zqtrain").any()  # only Phase I may read a training target's review


def test_tree_prompts(marked: Path, prompts: Any, tmp_path: Path, user_ids: dict[int, str]) -> None:
    rationales = RationaleSettings(title_chars=200, neighbour_items=50).model_dump()
    settings = TreeSettings(branching=[2], prompt_history_items=50).model_dump()
    given = job(marked, tmp_path, "tree_refine", settings=settings, rationales=rationales)
    _, texts = prompts(tree, given)
    base = pd.read_parquet(marked / "rationales/base.parquet")
    assert len(texts) == len(base)
    check(base.assign(prompt=texts), "prompt", user_ids)


@pytest.mark.parametrize("table", ["rationales/positive", "rationales/base", "tree", "selected/thought_space"])
def test_rationales(marked: Path, user_ids: dict[int, str], table: str) -> None:
    check(pd.read_parquet(marked / f"{table}.parquet"), "rationale", user_ids)


def test_behaviour_texts(marked: Path, tmp_path: Path, user_ids: dict[int, str]) -> None:
    settings = RationaleSettings(review_chars=400, behaviour_items=50, title_chars=200)
    given = job(marked, tmp_path, "base")
    examples = read_sampled(given.input.examples)
    texts = behaviour_texts(examples, shop_of(given), settings, with_target=False)
    check(
        examples[KEY].assign(text=[texts[key] for key in examples[KEY].itertuples(index=False, name=None)]),
        "text",
        user_ids,
    )
    # What `oracle` sees shows that the check finds markers.
    oracle = behaviour_texts(examples, shop_of(given), settings, with_target=True)
    assert sum("zqtest" in text.lower() for text in oracle.values()) == USERS


def test_what_the_thought_space_learns(marked: Path) -> None:
    files = {
        "positives": "rationales/positive.parquet",
        "examples": "examples.parquet",
        "interactions": "corpus/interactions.parquet",
        "users": "corpus/users.parquet",
        "catalogue": "corpus/items.parquet",
        "reviews": "corpus/reviews.parquet",
    }
    given = SimpleNamespace(**{name: [str(marked / file)] for name, file in files.items()})
    settings = RationaleSettings(review_chars=400, behaviour_items=50, title_chars=200).model_dump()
    learned = read_training_examples(SimpleNamespace(input=given, params=SimpleNamespace(rationales=settings)))
    assert len(learned) == USERS
    for example in learned:
        assert not HELD_OUT.search(example.with_target + example.history_only + example.rationale)
        assert "zqtrain" not in example.with_target + example.history_only  # the title may be known, the review never


def test_what_the_ranker_reads(marked: Path, user_ids: dict[int, str]) -> None:
    """Histories and rationales are clean in every split, and no training question has a held-out target."""
    from pulse_core.ranking.questions import make_questions

    given = job(marked, marked, "base")
    examples = read_sampled(given.input.examples)
    examples["candidates"] = [[target] for target in examples["target"]]
    selected = pd.read_parquet(marked / "selected/thought_space.parquet")
    rationales = dict(zip(selected[KEY].itertuples(index=False, name=None), selected["rationale"], strict=True))
    settings = RankerSettings(history_items=50, title_chars=200)
    questions = make_questions(examples, rationales, shop_of(given), settings)
    texts = [" ".join((*question.history, question.rationale or "")) for question in questions]
    check(examples[KEY].assign(text=texts), "text", user_ids)
    training = examples[examples["split"] == "train"]
    assert not set(training["target"]) & held_out_items(marked)
