"""SIGKILL of the driver or of a job at any stage leaves no half-written artifact, and the next call completes."""

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from tests.workflow.workspace import Workspace, files_of
from workflow_scripts.job.stage import SHELLS

pytestmark = pytest.mark.workflow
TABLES = "results/luxury/**/*.parquet"
DONE = {"thought_space": "results/luxury/thought_space/training.json", "sasrec": "results/luxury/sasrec/metrics.json"}


def wait_for(condition: Callable[[], Any], driver: Any, seconds: float = 120.0) -> Any:
    """Poll until `condition` holds and return its value; the driver must not end first."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert driver.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return value


def kill_driver(driver: Any) -> None:
    """SIGKILL only Snakemake, and wait until its orphaned processes have ended."""
    orphans = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    _, alive = psutil.wait_procs(orphans, timeout=20)
    assert not alive


def job_process(driver: Any, rule: str) -> psutil.Process | None:
    """The Python process that runs the rule's script."""
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            if process.cmdline()[-1].endswith(f".{rule}.py") and process.name() not in SHELLS:
                return process
        except (psutil.NoSuchProcess, IndexError):
            continue
    return None


def any_job(driver: Any, rules: Sequence[str]) -> str | None:
    """The first of these rules with a running job."""
    return next((rule for rule in rules if job_process(driver, rule)), None)


def check_whole(workspace: Workspace) -> None:
    """Check that every artifact with its final name is complete."""
    for file in workspace.root.glob(TABLES):
        pq.read_table(file)
    for file in workspace.root.glob("results/luxury/**/*.json"):
        json.loads(file.read_text())


def unfinished(workspace: Workspace) -> list[Path]:
    """Partial files of killed writers; none may remain once their artifacts are complete."""
    return sorted(workspace.root.rglob("*.part"))


def figures(workspace: Workspace) -> dict[str, Any]:
    """hr1.json without what may differ between equal runs."""
    hr1 = json.loads((workspace.root / "results/luxury/hr1.json").read_text())
    return {key: value for key, value in hr1.items() if key not in ("stages", "total_seconds", "versions")}


def tables(workspace: Workspace) -> dict[str, bytes]:
    """The bytes of every table and every adapter file."""
    return {
        file.relative_to(workspace.root).as_posix(): file.read_bytes()
        for file in files_of(workspace, [TABLES, "results/*/rankers/*/adapter/*"])
        if ".work" not in file.parts
    }


def test_a_run_killed_repeatedly_equals_an_undisturbed_run(
    built: Workspace, config: dict[str, Any], tmp_path: Path
) -> None:
    """A run from scratch with the driver killed in five stages gives the same tables and figures.

    This also tests repeatability: two runs from scratch with one seed agree to the byte.
    """
    workspace = Workspace.create(tmp_path / "killed", config, code=built.root)
    remaining = {"corpus", "sasrec", "thought_space", "ranker", "hr1"}
    while remaining:
        driver = workspace.start()
        rule = wait_for(partial(any_job, driver, sorted(remaining)), driver)
        time.sleep(0.5)  # past the interpreter's start, into the job's work
        kill_driver(driver)
        check_whole(workspace)
        # Snakemake orders independent jobs freely: a stage that finished unnoticed can no longer be killed.
        remaining -= {rule, *(done for done, file in DONE.items() if (workspace.root / file).exists())}
    workspace.run()
    assert workspace.stale() == set()
    assert unfinished(workspace) == []
    assert tables(workspace).keys() == tables(built).keys()
    for name, content in tables(built).items():
        assert tables(workspace)[name] == content, name
    assert figures(workspace) == figures(built)


def test_finished_chunks_are_not_generated_again(built: Workspace, tmp_path: Path) -> None:
    """With the real engine and the tiny model, a killed stage resumes and writes the same bytes.

    The killed run has two shards and the undisturbed one has one: the number of shards changes no byte either.
    """
    settings = {
        "generation": {"engine": "transformers", "batch_size": 4, "chunk_prompts": 1, "dtype": "float32"},
        "rationales": {"sampling": {"max_new_tokens": 6}},
        "tree": {"sampling": {"max_new_tokens": 6}},
    }
    target = "results/luxury/tree.parquet"
    whole = built.clone(tmp_path / "whole")
    whole.configure(settings)
    whole.run(target=target)
    killed = built.clone(tmp_path / "killed")
    killed.configure(settings)
    killed.configure({"generation": {"shards": 2}})

    driver = killed.start(target=target)
    before = wait_for(lambda: journalled(killed, "base_rationales", built), driver)
    kill_driver(driver)
    check_whole(killed)
    assert shards_of(killed, "base") < 2

    driver = killed.start(target=target)
    later = wait_for(lambda: journalled(killed, "tree", built), driver)
    job = job_process(driver, "tree")
    assert job is not None
    os.kill(job.pid, signal.SIGKILL)
    assert driver.wait(timeout=60) != 0
    check_whole(killed)
    assert shards_of(killed, "tree") < 2

    killed.run(target=target)
    assert unfinished(killed) == []
    for name in (target, "results/luxury/rationales/base.parquet"):
        assert (killed.root / name).read_bytes() == (whole.root / name).read_bytes(), name
    for file, written in {**before, **later}.items():
        assert file.stat().st_mtime_ns == written, "a finished chunk was generated again"


@pytest.mark.parametrize(
    ("rule", "report", "changed"),
    [
        ("thought_space", "thought_space/training.json", {"epochs": 30, "patience": 30}),
        ("ranker", "rankers/slm_sft/training.json", {"epochs": 30, "patience": 30, "processes": 2}),
        ("sasrec", "sasrec/metrics.json", {"epochs": 300, "patience": 300}),
    ],
)
def test_a_killed_training_resumes(
    built: Workspace, tmp_path: Path, rule: str, report: str, changed: dict[str, int]
) -> None:
    target = f"results/luxury/{report}"
    whole = built.clone(tmp_path / "whole")
    whole.configure({rule: changed})
    killed = whole.clone(tmp_path / "killed")
    killed.edit("pulse_core/checkpoints.py", "\nSECONDS, SHARE = 0.0, float('inf')\n")  # a saved state after every step
    whole.run(target=target)

    driver = killed.start(target=target)
    name = "ranker-slm_sft" if rule == "ranker" else rule
    work = killed.root / "results/luxury/.work" / name
    state = (work / "full" if rule == "sasrec" else work) / "training.safetensors"
    wait_for(state.exists, driver)
    job = job_process(driver, rule)
    assert job is not None
    os.kill(job.pid, signal.SIGKILL)
    assert driver.wait(timeout=60) != 0
    assert state.exists() and not (killed.root / target).exists()

    killed.run(target=target)
    assert "training resumes from" in (killed.root / f"logs/luxury/{name}.log").read_text()
    assert not work.exists()
    assert trained(killed, report) == trained(whole, report)


def trained(workspace: Workspace, report_name: str) -> dict[str, Any]:
    """The files of a training by path: their bytes, or the parsed report without its timing."""
    report_file = workspace.root / "results/luxury" / report_name
    root = report_file.parent
    files: dict[str, Any] = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*.*")}
    report = json.loads(report_file.read_bytes())
    return {**files, report_file.name: {key: value for key, value in report.items() if key != "timing"}}


def shards_of(workspace: Workspace, table: str) -> int:
    """Number of finished shards (of two) of a generation stage."""
    return len(files_of(workspace, [f"results/luxury/shards/{table}/*-of-2.parquet"]))


def journalled(workspace: Workspace, rule: str, before: Workspace, least: int = 4) -> dict[Path, int] | None:
    """Finished chunks that `before` lacks, with their modification times; None until there are `least`."""
    directory = Path("results/luxury/.work") / rule
    known = {file.name for file in (before.root / directory).glob("*.json")}
    new = {
        file: file.stat().st_mtime_ns for file in (workspace.root / directory).glob("*.json") if file.name not in known
    }
    return new if len(new) >= least else None
