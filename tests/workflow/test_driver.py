"""One driver per working directory; a job that outlived its driver never writes alongside the next driver's jobs."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulse_core.errors import InputError
from workflow_scripts.job import driver

ROOT = Path(__file__).resolve().parents[2]
# A job on a cluster node: Snakemake runs there too, so the job's parent process survives the driver.
JOB = """
import os, sys, time
from types import SimpleNamespace
from workflow_scripts.job.stage import stage
files = {'input': [], 'output': ['written'], 'log': ['logs/tree.log']}
job = SimpleNamespace(rule='tree', threads=1, wildcards={}, resources={}, **files)
with stage(job):
    open('started', 'w').close()
    time.sleep(30)
    open('written', 'w').close()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(driver.VARIABLE, "")
    (tmp_path / ".snakemake").mkdir()


def test_a_second_driver_is_refused_until_the_first_has_ended() -> None:
    first = driver.take_working_directory()
    name = driver.current()
    assert name == os.environ[driver.VARIABLE]
    with pytest.raises(InputError, match=rf"process {os.getpid()} on .* is running this workflow in .*: let it end"):
        driver.take_working_directory()
    assert driver.current() == name
    first.close()
    driver.take_working_directory().close()
    assert driver.current() != name


def test_a_job_that_started_late_is_refused_when_another_driver_has_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver.take_working_directory().close()
    first = os.environ[driver.VARIABLE]
    driver.refuse_orphan()  # its driver may have been killed, but no other has taken over
    driver.take_working_directory().close()
    driver.refuse_orphan()  # a job of the second driver
    monkeypatch.setenv(driver.VARIABLE, first)
    with pytest.raises(InputError, match=f"belongs to process {re.escape(first)}, and process .* has taken over"):
        driver.refuse_orphan()


def test_a_running_job_ends_when_another_driver_takes_over(tmp_path: Path) -> None:
    driver.take_working_directory().close()
    job = subprocess.Popen([sys.executable, "-c", JOB], env={**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 30
    while not Path("started").exists():
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.05)
    time.sleep(1.5)  # three checks of the driver's name
    assert job.poll() is None, "it may continue until another driver takes over"
    driver.take_working_directory().close()
    assert job.wait(timeout=15) == 1
    assert f"process {driver.current()} has taken over" in Path("logs/tree.log").read_text()
    assert not Path("written").exists()


def test_a_folder_in_place_of_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / driver.LOCK).mkdir()
    with pytest.raises(InputError, match=r"driver\.lock cannot serve as a lock file \(Is a directory\)"):
        driver.take_working_directory()
