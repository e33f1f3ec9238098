"""The overall table of the whole workflow: every registered system, and only stale stages rerun."""

import json

import pandas as pd
import pytest

from pulse_core.evaluation.tables import PREDICTION_SCHEMA
from pulse_core.systems import SYSTEMS
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow
TABLE = "results/tables/overall.csv"


@pytest.fixture(scope="module")
def tabled(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the table of one domain."""
    workspace = built.clone(tmp_path_factory.mktemp("tabled") / "workspace")
    workspace.run(target=TABLE)
    return workspace


def test_every_system_is_in_the_table_on_the_same_users(tabled: Workspace) -> None:
    rows = pd.read_csv(tabled.root / TABLE)
    ours = rows[rows["source"] == "ours"].set_index("system")
    assert set(ours.index) == {*(system.name for system in SYSTEMS), "chance"}
    assert (ours["users"] == 6).all() and (ours["candidates"] == 10).all()
    assert ours["hr1"].between(0, 1).all() and (ours["hr1_low"] <= ours["hr1"]).all()
    assert ours.drop(index="pulse")["p_value"].notna().all()
    assert (ours["corpus"] == "synthetic").all() and ours["note"].str.contains("SYNTHETIC").all()
    for end in ("md", "tex"):
        text = (tabled.root / f"results/tables/overall.{end}").read_text()
        assert "SYNTHETIC" in text and "FAKE" in text
        assert all(system.label in text for system in SYSTEMS)


def test_predictions_share_one_schema_and_number_of_trials(tabled: Workspace) -> None:
    directory = tabled.root / "results/luxury/baselines"
    for system in SYSTEMS:
        rows = pd.read_parquet(directory / system.name / "predictions.parquet")
        assert list(rows.columns) == PREDICTION_SCHEMA.names and {"validation", "test"} == set(rows["split"])
        metrics = json.loads((directory / system.name / "metrics.json").read_text())
        assert metrics["corpus"] == "synthetic"
        assert len(metrics["trials"]) in (
            (0,) if system.name in ("popularity", "brand_repeat", "llm_zero_shot") else (2,)
        )


def test_the_configured_ranker_is_pulses_first_trial(tabled: Workspace) -> None:
    """hr1.json reports this trial, so where it is the best both figures agree."""
    metrics = json.loads((tabled.root / "results/luxury/baselines/pulse/metrics.json").read_text())
    configured = json.loads((tabled.root / "results/luxury/rankers/thought_space/training.json").read_text())
    best = configured["validation_hr1"][configured["best_epoch"]]
    assert metrics["trials"][0]["validation"]["hr1"] == pytest.approx(best)


def test_only_stale_stages_rerun(tabled: Workspace) -> None:
    assert tabled.stale(target=TABLE) == set()
    changed = tabled.clone(tabled.root.parent / "changed")
    changed.configure({"baselines": {"item_knn": {"shrink": 3.0}}})
    assert changed.stale(target=TABLE) == {"baseline_item_knn", "overall"}
    changed.edit("pulse_core/baselines/morec.py")
    assert changed.stale(target=TABLE) == {"baseline_item_knn", "baseline_morec", "overall"}
