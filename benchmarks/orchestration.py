"""Snakemake's overhead: seconds of a run outside its jobs, of a call with nothing to do, and their share of the demo.

The overhead does not depend on the jobs, so it is measured on the tiny corpus of the workflow tests, one job at a time.
The share uses the stage times of the embedded default in results/luxury/hr1.json (`make demo`).
"""

import csv
import json
import tempfile
import time
from pathlib import Path

from tests.workflow.tiny import tiny_config
from tests.workflow.workspace import Workspace

DEMO = Path(__file__).resolve().parents[1] / "results/luxury/hr1.json"


def measure_orchestration() -> dict[str, float]:
    """`orchestration_seconds` of one run, `noop_seconds`, and `orchestration_share` if the demo has been run."""
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.create(Path(place) / "workspace", tiny_config(Path(place)))
        whole = _seconds(workspace)
        jobs = sum(_job_seconds(file) for file in (workspace.root / "logs").rglob("*.tsv"))
        figures = {"orchestration_seconds": whole - jobs, "noop_seconds": _seconds(workspace)}
    if DEMO.exists():
        stages = json.loads(DEMO.read_text())["total_seconds"]
        figures["orchestration_share"] = figures["orchestration_seconds"] / (figures["orchestration_seconds"] + stages)
    return figures


def _seconds(workspace: Workspace) -> float:
    started = time.monotonic()
    # The last --cores counts: with one core jobs do not overlap, and their times add up.
    workspace.run("--cores", "1")
    return time.monotonic() - started


def _job_seconds(file: Path) -> float:
    with file.open(newline="") as lines:
        return sum(float(row["s"]) for row in csv.DictReader(lines, delimiter="\t"))
