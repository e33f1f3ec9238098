"""What surrounds every script: log, threads, devices, errors, and the end of orphaned jobs."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pulse_core.errors import InputError
from workflow_scripts.job.stage import THREAD_VARIABLES, clamp_threads, stage, usable_cpus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workflow_scripts.job.stage.end_with_driver", lambda: None)
    for name in (*THREAD_VARIABLES, "TOKENIZERS_PARALLELISM", "RAYON_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "unset")


def job(**resources: int) -> SimpleNamespace:
    return SimpleNamespace(
        rule="tree",
        threads=64,
        input=[],
        output=[],
        log=["logs/luxury/tree.log"],
        wildcards={"domain": "luxury"},
        resources=resources,
    )


def test_threads_never_exceed_the_cpus() -> None:
    assert clamp_threads(64) == usable_cpus()
    assert {os.environ[name] for name in THREAD_VARIABLES} == {str(usable_cpus())}
    assert clamp_threads(1) == 1


def test_an_input_error_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, stage(job()):
        raise InputError("reviews.jsonl.gz, line 3: mend it")
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == ["ERROR tree: reviews.jsonl.gz, line 3: mend it"]
    assert "Traceback" not in Path("logs/luxury/tree.log").read_text()


def test_any_other_error_leaves_its_traceback_in_the_log() -> None:
    with pytest.raises(ZeroDivisionError), stage(job()):
        _ = 1 // 0
    log = Path("logs/luxury/tree.log").read_text()
    assert "Traceback" in log and "ZeroDivisionError" in log


def test_the_log_holds_plain_lines() -> None:
    with stage(job()):
        logging.getLogger("pulse").info("tree: 3/9 nodes")
    lines = Path("logs/luxury/tree.log").read_text().splitlines()
    assert [line.split(" ", 3)[3] for line in lines[1:]] == ["tree: 3/9 nodes", "rule tree done"]


def test_a_job_without_a_device_says_so_and_hides_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    with stage(job(gpu=0)):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert "gpu=0" in capsys.readouterr().err
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    with stage(job(gpu=1)):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


CHILD = """
import sys, time
from types import SimpleNamespace
from workflow_scripts.job.stage import stage
job = SimpleNamespace(rule='tree', threads=1, input=[], output=[], log=['logs/tree.log'], wildcards={}, resources={})
with stage(job):
    open('started', 'w').close()
    time.sleep(30)
"""


def test_a_job_ends_when_its_driver_is_killed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    # A driver that starts its job through a shell, as Snakemake does.
    driver_code = f"import subprocess; subprocess.run('set -e; {sys.executable} child.py; true', shell=True)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, "-c", driver_code], cwd=tmp_path, env=environment)
    _wait_for(lambda: (tmp_path / "started").exists())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    _wait_for(lambda: "has ended" in (tmp_path / "logs/tree.log").read_text())


def _wait_for(condition, seconds: float = 15.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_a_folder_in_place_of_the_jobs_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / ".snakemake/jobs/logs-luxury-tree.log.lock").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"tree: .*tree\.log\.lock cannot serve as a lock file"), stage(job()):
        pass
