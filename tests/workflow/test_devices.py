"""Devices are leased: two jobs never share one, and a dead job's lease ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from snakemake.settings.types import ConfigSettings, ResourceSettings

from pulse_core import accelerators
from pulse_core.accelerators import PRETENDED, allowed_devices, machine_devices
from pulse_core.errors import InputError
from pulse_core.models import device
from workflow_scripts.job import devices
from workflow_scripts.job.devices import SLURM_GPUS, job_devices, leased
from workflow_scripts.wiring.wiring import DEFAULT_THREADS, Wiring

ROOT = Path(__file__).resolve().parents[2]
GPU_JOB = SimpleNamespace(rule="tree", resources={"gpu": 1})
HOLDER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from workflow_scripts.job import devices
devices.lease_directory = lambda: Path("locks")
job = SimpleNamespace(rule="tree", resources={"gpu": int(sys.argv[2])})
with devices.job_devices(job):
    import os
    Path(sys.argv[1]).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(60)
"""


class Jobs:
    """Processes that lease fake devices 0 and 1 and keep them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, count: int = 1) -> None:
        environment = {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "0,1"}
        command = [sys.executable, "-c", HOLDER, name, str(count)]
        self.running[name] = subprocess.Popen(command, cwd=self.folder, env=environment)

    def device(self, name: str, seconds: float = 20.0) -> str | None:
        """The job's devices; None if it still has none after `seconds`."""
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
    jobs.start("other")  # a job that waits for device 0 does not hold device 1
    assert jobs.device("other") == "1"
    jobs.kill("one")
    jobs.kill("other")
    assert jobs.device("both") == "0,1"


def test_more_devices_than_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gpu=3.*2 \(0, 1\)"), leased(3, ["0", "1"], tmp_path):
        pass


def test_devices_are_those_assigned_or_all_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbered by position, as in CUDA: a container with /dev/nvidia2 and /dev/nvidia10 has devices 0 and 1."""
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert machine_devices(tmp_path) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a, 3")
    assert allowed_devices() == ["GPU-5a", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert allowed_devices() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert allowed_devices() == machine_devices()


def test_a_gpu_under_wsl2_is_detected_by_its_driver(tmp_path: Path) -> None:
    """/dev/dxg exists for GPUs of any vendor, libcuda only for NVIDIA's."""
    (tmp_path / "dxg").touch()
    assert machine_devices(tmp_path, tmp_path / "libcuda.so.1") == []
    (tmp_path / "libcuda.so.1").touch()
    assert machine_devices(tmp_path, tmp_path / "libcuda.so.1") == ["0"]


def visible_devices(job: SimpleNamespace) -> str | None:
    """CUDA_VISIBLE_DEVICES inside a job."""
    with job_devices(job):
        return os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without devices, and no variable from Slurm or a user that names any."""
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", *SLURM_GPUS, PRETENDED):
        monkeypatch.setenv(name, "")  # so that what a job sets is undone as well
        monkeypatch.delenv(name)
    monkeypatch.setattr(accelerators, "machine_devices", list)
    monkeypatch.setattr(devices, "lease_directory", lambda: tmp_path / "locks")
    return monkeypatch


@pytest.mark.parametrize("variable", SLURM_GPUS)
def test_gpus_that_slurm_only_counts_are_refused(unset: pytest.MonkeyPatch, variable: str) -> None:
    unset.setenv("SLURM_JOB_ID", "17")
    unset.setenv(variable, "1")
    with pytest.raises(InputError, match=r"unset in Slurm job 17.*gres\.conf \(such as `Name=gpu File=/dev/nvidia"):
        visible_devices(GPU_JOB)
    unset.setenv("CUDA_VISIBLE_DEVICES", "1")  # now it is named
    assert visible_devices(GPU_JOB) == "1"


def test_gpus_that_slurm_did_not_allocate_are_not_used(unset: pytest.MonkeyPatch) -> None:
    """An allocation without GPUs on a node that has some; on a node without any, `gpu` is only a token."""
    unset.setenv("SLURM_JOB_ID", "17")
    assert visible_devices(GPU_JOB) is None
    unset.setattr(accelerators, "machine_devices", lambda: ["0", "1"])
    with pytest.raises(InputError, match=r"request one \(`--gpus=1`\), or set CUDA_VISIBLE_DEVICES to nothing"):
        visible_devices(GPU_JOB)
    unset.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices(GPU_JOB) == ""


@pytest.mark.parametrize(("built", "reason"), [(False, "is a CPU build.*TORCH=cuda"), (True, "driver is missing")])
def test_a_job_that_holds_a_device_never_runs_on_the_cpu(unset: pytest.MonkeyPatch, built: bool, reason: str) -> None:
    unset.setattr(torch.cuda, "is_available", lambda: False)
    unset.setattr(torch.backends.cuda, "is_built", lambda: built)
    assert device().type == "cpu"
    unset.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    with job_devices(GPU_JOB), pytest.raises(InputError, match=f"gives this job device 1, but torch.*{reason}"):
        device()
    unset.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    with job_devices(SimpleNamespace(rule="sasrec", resources={})):
        assert device().type == "cpu"
    unset.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    unset.setenv(PRETENDED, "true")
    with job_devices(GPU_JOB):
        assert device().type == "cpu"


def test_devices_are_pretended_only_in_tests(unset: pytest.MonkeyPatch) -> None:
    wiring({})
    assert PRETENDED not in os.environ
    wiring({"testing": True})
    assert PRETENDED in os.environ


def wiring(values: dict[str, Any], *, gpu: int | None = None, **settings: int) -> Wiring:
    """The wiring of a call with `--resources gpu=` and other resource settings."""
    limits = ResourceSettings(resources={} if gpu is None else {"gpu": gpu}, **settings)
    workflow = SimpleNamespace(
        basedir=str(ROOT),
        config_settings=ConfigSettings(),
        resource_settings=limits,
        global_resources=limits._parsed_resources,
        is_main_process=True,
    )
    return Wiring(values, workflow)


@pytest.mark.parametrize(
    ("cores", "gpu", "machine_gpus", "of_gpu_rules", "of_others"),
    [
        (16, 2, 0, 16, 16),  # no accelerator: one torch job at a time
        (16, 0, 4, 16, 16),  # jobs may use none
        (16, 1, 4, 16, 8),
        (16, 2, 4, 8, 8),
        (64, 8, 4, 16, 8),
        (64, None, 4, 16, 8),
        (4, 2, 2, 2, 4),
        (1, 2, 2, 1, 1),
        (None, None, 2, DEFAULT_THREADS, DEFAULT_THREADS),  # `--profile profiles/slurm` sets jobs but not cores
    ],
)
def test_gpu_rules_share_the_cores_by_the_devices_that_jobs_can_hold(
    unset: pytest.MonkeyPatch, cores: int | None, gpu: int | None, machine_gpus: int, of_gpu_rules: int, of_others: int
) -> None:
    unset.setattr(accelerators, "machine_devices", lambda: [str(number) for number in range(machine_gpus)])
    call = wiring({}, gpu=gpu, **({"cores": cores} if cores else {"nodes": 20}))
    assert (call.gpu_threads({}), call.cpu_threads({})) == (of_gpu_rules, of_others)


def test_a_training_of_two_processes_takes_the_threads_of_two_devices(unset: pytest.MonkeyPatch) -> None:
    call = wiring({"ranker": {"processes": 2}}, cores=8)
    for named, threads in (("0,1", [8, 4]), ("0,1,2,3", [4, 2]), ("", [8, 8])):
        unset.setenv("CUDA_VISIBLE_DEVICES", named)
        assert [call.training_threads(section)({}) for section in ("ranker", "thought_space")] == threads
