"""What every artifact and hr1.json record about their origin."""

import json
from pathlib import Path

import pandas as pd
import yaml

from pulse_core.artifacts import corpus_of
from tests.workflow.workspace import Workspace

FIGURES = {"statistics.json", "metrics.json", "training.json", "neighbours-leak.json", "hr1.json", "source.json"}


def read(file: Path) -> dict:
    return json.loads(file.read_text())


def test_every_artifact_of_a_synthetic_corpus_says_so(built: Workspace) -> None:
    tables = [*built.root.glob("results/**/*.parquet"), *built.root.glob("resources/**/*.parquet")]
    assert len(tables) > 15
    assert {corpus_of(table) for table in tables} == {"synthetic"}
    figures = [file for file in built.root.glob("re*/**/*.json") if file.name in FIGURES]
    assert {file.name for file in figures} == FIGURES
    assert {read(file)["corpus"] for file in figures} == {"synthetic"}


def test_hr1_times_every_stage_that_ran_and_no_other(workspace: Workspace) -> None:
    hr1 = workspace.root / "results/luxury/hr1.json"
    logs = workspace.root / "logs"
    ran = {file.stem.removesuffix("-1-of-1") for file in (logs / "luxury").glob("*.tsv")} - {"hr1"}
    prepared = {f"model-{file.stem}" for file in (logs / "models").glob("*.tsv")}
    assert read(hr1)["stages"].keys() == ran | prepared
    (logs / "luxury/old_stage.tsv").write_text("s\tmax_rss\n9999\t1\n")
    hr1.unlink()
    workspace.run()
    assert "old_stage" not in read(hr1)["stages"]


def test_fake_rationales_are_marked(built: Workspace) -> None:
    hr1 = read(built.root / "results/luxury/hr1.json")
    assert hr1["protocol"]["engine"] == "fake" and "FAKE RATIONALES" in hr1["notice"]


def test_selection_that_saw_the_target_is_marked_and_not_audited(workspace: Workspace) -> None:
    workspace.configure({"selection": {"behaviour": "oracle"}})
    workspace.run()
    results = workspace.root / "results/luxury"
    hr1 = read(results / "hr1.json")
    assert hr1["leak_audit"] is None and hr1["protocol"]["oracle"] and "ORACLE" in hr1["notice"]
    assert set(pd.read_parquet(results / "selected/thought_space.parquet")["behaviour"]) == {"oracle"}


def test_roles_of_one_origin_and_kind_share_a_prepared_model(workspace: Workspace) -> None:
    models = yaml.safe_load((workspace.root / "tiny.yaml").read_text())["models"]
    workspace.configure({"models": {"sbert": models["encoder"]}})
    assert workspace.stale(target="results/luxury/selected/sbert.parquet") == {"select"}


def test_one_origin_in_two_kinds_is_prepared_twice(workspace: Workspace) -> None:
    models = yaml.safe_load((workspace.root / "tiny.yaml").read_text())["models"]
    workspace.configure({"models": {"sbert": models["slm"]}})
    assert workspace.stale(target="results/luxury/selected/sbert.parquet") == {"model", "select"}
