"""The processes of one training end together, and an error in any of them is reported once, readably."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pulse_core.errors import InputError
from workflow_scripts.job import launch

ROOT = Path(__file__).resolve().parents[2]
LOG = "logs/luxury/ranker.log"


def start(folder: Path, kind: str) -> subprocess.Popen[str]:
    """Start the script in `folder`."""
    # What `accelerate config` writes for four machines: it must not be read.
    (folder / "accelerate").mkdir()
    (folder / "accelerate/default_config.yaml").write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\nnum_machines: 4\nnum_processes: 8\n"
        "machine_rank: 3\nmain_process_ip: 192.0.2.1\nmain_process_port: 29500\nmixed_precision: fp16\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "HF_HOME": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.workflow.launch_probe", kind],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(script: subprocess.Popen[str], folder: Path) -> list[psutil.Process]:
    """Both processes, once they have started."""
    deadline = time.monotonic() + 60
    files = [folder / "pid-0", folder / "pid-1"]
    while not all(file.exists() and file.read_text() for file in files):
        assert script.poll() is None and time.monotonic() < deadline, "the processes did not start"
        time.sleep(0.05)
    return [psutil.Process(int(file.read_text())) for file in files]


def ended(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


def test_two_processes_do_the_work_and_the_first_writes(tmp_path: Path) -> None:
    script = start(tmp_path, "whole")
    _, errors = script.communicate(timeout=120)
    assert script.returncode == 0, errors
    assert (tmp_path / "result.txt").read_text() == "[2.0, 1.0, None, ['a.txt', 'b.txt'], '1']"
    log = (tmp_path / LOG).read_text()
    assert "accelerate launch --config_file" in log and "rule ranker done" in log.splitlines()[-1]
    assert log.count("process 1 of 2, 1 threads each") == 1 and "process 2 of 2" not in log
    assert not list((tmp_path / ".snakemake/jobs").glob("*/"))


def test_an_input_error_of_any_process_is_reported_by_the_script(tmp_path: Path) -> None:
    script = start(tmp_path, "input error")
    _, errors = script.communicate(timeout=120)
    assert script.returncode == 1
    assert [line for line in errors.splitlines() if "ERROR" in line] == [
        "ERROR ranker: reviews.jsonl.gz, line 3: mend it"
    ]
    assert "Traceback" not in (tmp_path / LOG).read_text() and not (tmp_path / "result.txt").exists()


def test_another_error_is_named_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    script = start(tmp_path, "error")
    _, errors = script.communicate(timeout=120)
    assert script.returncode == 1
    message = "ERROR ranker: process 2 of 2 failed: ZeroDivisionError: a planted error"
    assert message in errors.splitlines()
    log = (tmp_path / LOG).read_text()
    assert log.count("Traceback") == 1 and log.splitlines()[-1].endswith(message)


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_process_ends_the_other_and_is_named(tmp_path: Path, number: int) -> None:
    script = start(tmp_path, "wait")
    both = processes_of(script, tmp_path)
    both[number].send_signal(signal.SIGKILL)
    _, errors = script.communicate(timeout=60)
    assert script.returncode == 1 and ended(both)
    assert f"ERROR ranker: process {number + 1} of 2 was ended by SIGKILL" in errors
    assert f"process {number + 1} of 2 was ended by SIGKILL" in (tmp_path / LOG).read_text().splitlines()[-1]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_script(tmp_path: Path, sent: signal.Signals) -> None:
    script = start(tmp_path, "wait")
    both = processes_of(script, tmp_path)
    script.send_signal(sent)
    script.communicate(timeout=60)
    assert script.returncode != 0 and ended(both)


def test_fewer_gpus_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    job = SimpleNamespace(rule="ranker", params=SimpleNamespace(settings={"processes": 2}))
    with pytest.raises(InputError, match=r"ranker\.processes is 2, but this job has 1 GPU \(1\).*gpu=2"):
        launch.do(job, lambda job: None, "nothing")


def test_one_process_is_the_script_itself() -> None:
    calls = []
    job = SimpleNamespace(rule="ranker", params=SimpleNamespace(settings={"processes": 1}))
    launch.do(job, calls.append, "nothing")
    assert calls == [job]
