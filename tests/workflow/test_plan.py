"""`pulse plan` next to finished work: its counts match the artifacts, and it says what it cannot know."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pulse_core.config import load_config
from pulse_core.generation.chat_tokens import ChatTokens
from pulse_core.keys import keys
from pulse_core.planning import plan as planning
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.texts import history_lines, shorten
from tests.workflow.workspace import ROOT, Workspace
from workflow_scripts.cli.plan_inputs import domain_data, finished_run
from workflow_scripts.cli.pulse import main
from workflow_scripts.shared.inputs import read_sampled, read_shop

pytestmark = pytest.mark.workflow


@pytest.fixture
def finished(built: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The finished workspace as working directory."""
    monkeypatch.chdir(built.root)
    return built


def plan(*arguments: str, file: Path) -> dict[str, Any]:
    """The JSON of a plan that fits, with its stages by name as `rows`."""
    assert main(["plan", "--configfile", "tiny.yaml", *arguments, "--json", str(file)]) == 0
    return {
        **json.loads(file.read_text()),
        "rows": {row["stage"]: row for row in json.loads(file.read_text())["stages"]},
    }


def test_prompts_and_texts_are_exactly_those_of_the_finished_run(finished: Workspace, tmp_path: Path) -> None:
    rows = plan(file=tmp_path / "plan.json")["rows"]
    results = finished.root / "results/luxury"
    positive, base = (pd.read_parquet(results / f"rationales/{name}.parquet") for name in ("positive", "base"))
    tree = pd.read_parquet(results / "tree.parquet")
    assert rows["positive_rationales"]["count"] == rows["positive_rationales"]["texts"] == len(positive)
    assert rows["base_rationales"]["count"] == rows["base_rationales"]["texts"] == len(base)
    assert rows["tree"]["texts"] == (tree["depth"] > 0).sum()
    assert rows["tree"]["count"] == (~tree["is_leaf"]).sum()  # one prompt per node with children
    for stage, texts in (
        ("positive_rationales", positive),
        ("base_rationales", base),
        ("tree", tree[tree["depth"] > 0]),
    ):
        assert rows[stage]["new_tokens"] == pytest.approx(texts["tokens"].sum())
    selected = pd.read_parquet(results / "selected/thought_space.parquet")
    assert rows["select-thought_space"]["count"] == tree["is_leaf"].sum() + len(selected)
    predictions = pd.read_parquet(results / "baselines/llm_zero_shot/predictions.parquet")
    assert rows["baseline-llm_zero_shot"]["count"] == len(predictions)
    training = json.loads((results / "rankers/thought_space/training.json").read_text())
    assert rows["ranker-thought_space"]["count"] == training["train_examples"] + len(predictions)
    assert rows["thought_space"]["count"] == len(positive)


def test_prompt_tokens_are_those_of_the_stages_own_prompts(finished: Workspace, tmp_path: Path) -> None:
    """Positive prompts, rebuilt here from the tables and tokenized with the model's tokenizer."""
    results, settings = finished.root / "results/luxury", finished_run(Path("results/luxury"), {})[0].rationales
    shop = read_shop(*(str(results / f"corpus/{name}.parquet") for name in ("items", "interactions", "reviews")))
    model = next((finished.root / "resources/models").glob("*causal"))
    chat, template = ChatTokens(model), PromptTemplate(finished.root / "config/prompts/positive.j2")
    system = template.path.read_text().split("### system\n")[1].split("\n")[0]
    lengths = []
    for row in read_sampled(str(results / "examples.parquet"), "train").itertuples():
        opinion = shop.opinion(row.user, row.target)
        shown = {"most": settings.history_items, "title_chars": settings.title_chars}
        messages, start = template.render(
            history=history_lines(shop, row.user, row.history, review_chars=settings.review_chars, **shown),
            target=shop.brief_title(row.target, settings.title_chars),
            stars=opinion.stars,
            review=shorten(opinion.words, settings.target_review_chars),
        )
        turns = "".join(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages)
        assert messages[0].content == system
        text = f"{turns}<|im_start|>assistant\n{start}"
        lengths.append(len(chat.tokenizer(text, add_special_tokens=False)["input_ids"]))
    stage = plan(file=tmp_path / "plan.json")["rows"]["positive_rationales"]
    assert stage["prompt_tokens"] == sum(lengths)
    # The few-shot examples, which all prompts share, are computed once.
    assert sum(lengths) / len(lengths) < stage["computed_tokens"] < sum(lengths) / 2


def test_a_sample_of_prompts_represents_all(finished: Workspace, tmp_path: Path) -> None:
    whole = plan(file=tmp_path / "whole.json")["rows"]
    sampled = plan("--config", "plan.sample=5", file=tmp_path / "sampled.json")["rows"]
    for stage in ("positive_rationales", "base_rationales", "tree"):
        assert (sampled[stage]["count"], sampled[stage]["texts"]) == (whole[stage]["count"], whole[stage]["texts"])
        assert sampled[stage]["prompt_tokens"] == pytest.approx(whole[stage]["prompt_tokens"], rel=0.1)


def test_without_tables_the_same_size_gives_the_same_counts(finished: Workspace, tmp_path: Path) -> None:
    """Nothing has run: only the generator's size, the sampled users and the templates are known."""
    rows = plan(file=tmp_path / "whole.json")["rows"]
    (tmp_path / "empty").mkdir()
    elsewhere = ["--directory", str(tmp_path / "empty"), "--configfile", str(finished.root / "tiny.yaml")]
    assert main(["plan", *elsewhere, "--json", str(tmp_path / "assumed.json")]) == 0
    assumed = json.loads((tmp_path / "assumed.json").read_text())
    for row in assumed["stages"]:
        if row["unit"] in ("prompts", "texts") or row["stage"].startswith("ranker"):
            assert row["count"] == rows[row["stage"]]["count"], row["stage"]
    assert any("counts it" in note for note in assumed["notes"])


def test_a_plan_corrected_by_its_own_run_gives_the_measured_times(
    finished: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PLAUSIBLE", 1e15)  # models this small cost only overhead
    real = json.loads((finished.root / "results/luxury/hr1.json").read_text())["stages"]
    start = ["--config", "plan.hardware.start_seconds=0.01"]
    rows = plan("--measured", "results/luxury", *start, file=tmp_path / "plan.json")["rows"]
    timed = {name for name in rows if name in real and real[name]["seconds"] and name not in ("corpus", "sasrec")}
    assert {"tree", "base_rationales", "thought_space", "ranker-thought_space", "oracle_predictions"} <= timed
    for name in timed:
        assert rows[name]["seconds"] == pytest.approx(real[name]["seconds"], rel=0.01), name


def test_a_stage_that_does_not_fit_ends_with_status_1(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--configfile", "tiny.yaml", "--config", "plan.hardware.memory_gb=0.5"]) == 1
    output = capsys.readouterr().out
    assert "Does not fit: tree needs" in output and "lower generation.batch_size" in output
    assert max(map(len, output.split("Does not fit")[0].splitlines())) <= 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "domains={mine: {source: files}}"], "how large is 'mine'? Build its corpus"),
        (["--config", "domains={mine: {source: files}}"], "plan.domains.mine: {users: ..., items: ..."),
        (["--config", "ranker.epochs=one"], "ranker.epochs: got 'one', expected a whole number"),
        (["--config", "seed"], "--config: got 'seed', expected key=value"),
        (["--configfile", "nowhere.yaml"], "--configfile: nowhere.yaml does not exist"),
        (["--measured", "results/luxury"], "--measured: results/luxury/hr1.json does not exist"),
        (["--config", "models.slm={package: null, hub: a/b, revision: c}"], "the shape of a/b is not known"),
    ],
)
def test_unusable_values_are_named(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_repeated_files_and_values_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr("workflow_scripts.cli.plan.layered", lambda files, pairs: given.extend([files, pairs]) or {})
    monkeypatch.chdir(tmp_path)
    main(["plan", "--configfile", "a.yaml", "--configfile", "b.yaml", "--config", "seed=1", "-C", "raw_dir=x"])
    assert given == [[Path("a.yaml"), Path("b.yaml")], ["seed=1", "raw_dir=x"]]


def test_the_papers_plan_needs_no_data_no_model_and_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from workflow_scripts.cli.pulse import main; status = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", "--configfile", str(ROOT / "config/paper.yaml"), "--json", "plan.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "plan.json").read_text())
    assert {row["domain"] for row in result["stages"]} == {"models", "luxury", "pantry", "games"}
    assert all(row["fits"] for row in result["stages"]) and result["capacity_bytes"] == 24 * 2**30
    trees = {row["domain"]: row["texts"] for row in result["stages"] if row["stage"] == "tree"}
    assert trees["luxury"] == 3 * 2028 * (3 + 9)  # every user's three examples
    assert any(note.startswith("prompt tokens: assumed") for note in result["notes"])


def test_the_installed_command_is_this_one() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, function = scripts["pulse"].split(":")
    assert getattr(importlib.import_module(module), function) is main


def test_finished_corpora_are_counted(built: Workspace, tmp_path: Path) -> None:
    """With only a corpus, examples are those that the stage would make."""
    finished, results = built.root / "results/luxury", tmp_path / "luxury"
    shutil.copytree(finished / "corpus", results / "corpus")
    config, _ = finished_run(finished, {})
    data = domain_data("luxury", config, results)
    examples = read_sampled(str(finished / "examples.parquet"))
    assert data.total == len(examples) and keys(data.sample) == keys(examples)
    assert not data.answer_tokens
    # What the configuration samples is planned from the corpus, whatever examples.parquet holds.
    everyone = load_config({"split": {"sample_users": {"train": None, "validation": None, "test": 9}}})
    rows = pd.read_parquet(finished / "examples.parquet")["split"].value_counts()
    planned = domain_data("luxury", everyone, results)
    assert planned.examples == {"train": rows["train"], "validation": rows["validation"], "test": 9}
    by_date = domain_data("luxury", load_config({"split": {"kind": "global_time"}}), results)
    assert by_date.examples["test"] < rows["test"]
