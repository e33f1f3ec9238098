"""Devices are leased: two jobs never share one, and a dead job gives its own back."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.settings.types import ConfigSettings, ResourceSettings

from pulse_core.accelerators import allowed_devices, machine_devices
from pulse_core.errors import InputError
from workflow_scripts.devices import leased
from workflow_scripts.wiring import DEFAULT_THREADS, Wiring, torch_threads

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from workflow_scripts import devices
devices.lease_directory = lambda: Path("locks")
job = SimpleNamespace(rule="tree", resources={"gpu": int(sys.argv[2])})
with devices.job_devices(job):
    import os
    Path(sys.argv[1]).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(60)
"""


class Jobs:
    """Processes that lease fake devices 0 and 1 and hold them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, count: int = 1) -> None:
        environment = {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "0,1"}
        command = [sys.executable, "-c", HOLDER, name, str(count)]
        self.running[name] = subprocess.Popen(command, cwd=self.folder, env=environment)

    def device(self, name: str, seconds: float = 20.0) -> str | None:
        """What the job holds; None if it holds nothing when the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            file = self.folder / name
            if file.exists() and file.read_text():
                return file.read_text()
            time.sleep(0.05)
        return None

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)
        self.running[name].wait()


@pytest.fixture
def jobs(tmp_path: Path):  # type: ignore[no-untyped-def]
    started = Jobs(tmp_path)
    yield started
    for name in started.running:
        started.kill(name)


def test_two_jobs_run_on_two_devices_and_a_third_waits_for_a_killed_one(jobs: Jobs) -> None:
    jobs.start("first")
    jobs.start("second")
    assert {jobs.device("first"), jobs.device("second")} == {"0", "1"}
    jobs.start("third")
    assert jobs.device("third", seconds=2) is None
    jobs.kill("second")
    assert jobs.device("third") == jobs.device("second")


def test_a_job_of_two_devices_waits_for_both(jobs: Jobs) -> None:
    jobs.start("one")
    assert jobs.device("one") == "0"
    jobs.start("both", count=2)
    assert jobs.device("both", seconds=2) is None
    jobs.start("other")  # nobody holds device 1 while waiting for device 0
    assert jobs.device("other") == "1"
    jobs.kill("one")
    jobs.kill("other")
    assert jobs.device("both") == "0,1"


def test_more_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gpu=3.*2 \(0, 1\)"), leased(3, ["0", "1"], tmp_path):
        pass


def test_devices_are_those_that_were_assigned_or_all_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert machine_devices(tmp_path) == ["2", "10"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a, 3")
    assert allowed_devices() == ["GPU-5a", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert allowed_devices() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert allowed_devices() == machine_devices()


def test_threads_are_shared_between_the_devices() -> None:
    assert [torch_threads(8, gpus) for gpus in (0, 1, 2)] == [8, 8, 4]


def test_a_cluster_call_without_cores_can_be_asked_for_threads() -> None:
    """`--profile profiles/slurm` sets jobs and no cores: Snakemake's own `workflow.cores` raises then."""
    workflow = SimpleNamespace(
        basedir=str(ROOT),
        config_settings=ConfigSettings(),
        resource_settings=ResourceSettings(nodes=20),
        is_main_process=True,
    )
    assert Wiring({}, workflow).torch_threads({}) == DEFAULT_THREADS


def test_a_training_of_two_processes_takes_the_threads_of_two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = SimpleNamespace(
        basedir=str(ROOT),
        is_main_process=True,
        config_settings=ConfigSettings(),
        resource_settings=ResourceSettings(cores=8),
    )
    wiring = Wiring({"ranker": {"processes": 2}}, workflow)
    for devices, threads in ((["0", "1"], [8, 4]), (["0", "1", "2", "3"], [4, 2]), ([], [8, 8])):
        monkeypatch.setattr("workflow_scripts.wiring.allowed_devices", lambda found=devices: found)
        assert [wiring.training_threads(section)({}) for section in ("ranker", "thought_space")] == threads
