"""The whole DAG with two-process trainings: the figures of one process, and recovery from a killed process."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from tests.workflow.test_interrupted import wait_for
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow
TOLERANCE = 1e-4  # largest difference of a loss, metric or score, whose sums are taken in another order
TRAININGS = {"thought_space", "ranker"}


def without_dropout(workspace: Workspace) -> None:
    """Turn off dropout, which each process draws for itself."""
    models = yaml.safe_load((workspace.root / "tiny.yaml").read_text())["models"]
    steady = workspace.root / "steady-encoder"
    shutil.copytree(models["encoder"]["path"], steady)
    file = steady / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}))
    workspace.configure(
        {
            "models": {"encoder": {**models["encoder"], "path": str(steady)}},
            "ranker": {"lora_dropout": 0.0, "epochs": 2},
        }
    )


def trainer(driver: Any, rule: str, rank: int) -> psutil.Process | None:
    """The rule's training process of this rank."""
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            if f"workflow_scripts.{rule}" in process.cmdline() and process.environ().get("RANK") == str(rank):
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return None


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The values of a report by path, without times and settings."""
    if isinstance(value, dict):
        compared = {key: inner for key, inner in value.items() if key not in ("timing", "settings")}
        return {k: v for key, inner in compared.items() for k, v in leaves(inner, f"{path}/{key}").items()}
    if isinstance(value, list):
        return {k: v for key, inner in enumerate(value) for k, v in leaves(inner, f"{path}/{key}").items()}
    return {path: value}


def test_two_processes_give_the_figures_of_one_and_recover_from_a_kill(built: Workspace, tmp_path: Path) -> None:
    alone = built.clone(tmp_path / "alone")
    without_dropout(alone)
    alone.run()
    together = alone.clone(tmp_path / "together")
    together.configure({rule: {"processes": 2} for rule in TRAININGS})
    assert together.stale() >= TRAININGS
    dry = together.run("-n", "--forcerun", "thought_space", target="results/luxury/thought_space/training.json")
    assert "gpu=2" in dry[dry.index("rule thought_space:") :].split("\n\n")[0]

    driver = together.start()
    victim = wait_for(lambda: trainer(driver, "ranker", 1), driver)
    others = psutil.Process(driver.pid).children(recursive=True)
    victim.send_signal(signal.SIGKILL)
    assert driver.wait(timeout=60) != 0
    assert not psutil.wait_procs(others, timeout=20)[1]
    assert "process 2 of 2 was ended by SIGKILL" in (together.root / "driver.txt").read_text()
    together.run()
    assert together.stale() == set()
    for log in ("thought_space", "ranker-thought_space", "ranker-slm_sft"):
        assert "accelerate launch" in (together.root / f"logs/luxury/{log}.log").read_text()

    reports = [
        "thought_space/training.json",
        *(f"rankers/{name}/training.json" for name in ("thought_space", "slm_sft")),
    ]
    for report in reports:
        one, two = (json.loads((run.root / "results/luxury" / report).read_text()) for run in (alone, together))
        assert two["settings"]["processes"] == 2
        assert leaves(two) == {
            name: pytest.approx(value, abs=TOLERANCE) if isinstance(value, float) else value
            for name, value in leaves(one).items()
        }
    for variant in ("thought_space", "slm_sft"):
        one, two = (
            pd.read_parquet(run.root / f"results/luxury/rankers/{variant}/predictions.parquet")
            for run in (alone, together)
        )
        assert two.drop(columns="scores").astype(str).equals(one.drop(columns="scores").astype(str))
        np.testing.assert_allclose(np.stack(two["scores"]), np.stack(one["scores"]), atol=TOLERANCE)
    one, two = (json.loads((run.root / "results/luxury/hr1.json").read_text())["systems"] for run in (alone, together))
    assert leaves(two) == {
        name: pytest.approx(value, abs=TOLERANCE) if isinstance(value, float) else value
        for name, value in leaves(one).items()
    }
