"""Assigns devices to jobs: Snakemake only counts `gpu`; here each unit becomes a device that no other job uses.

A device is leased with a lock file, so it is released when the process ends, however it ends.
"""

import fcntl
import itertools
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pulse_core.accelerators import VARIABLE, allowed_devices
from pulse_core.errors import InputError
from workflow_scripts.job.locks import open_lock

log = logging.getLogger("pulse")
POLL_SECONDS = 0.5
# Set in a Slurm job with GPUs, to their number or names, even if Slurm does not know the device files.
SLURM_GPUS = ("SLURM_GPUS_ON_NODE", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS")


def lease_directory() -> Path:
    """Folder of this user's locks, one per Slurm allocation: under device cgroups each numbers its devices from 0."""
    scope = os.environ.get("SLURM_JOB_ID", "machine")
    return Path(tempfile.gettempdir()) / f"pulse-devices-{os.getuid()}-{scope}"


@contextmanager
def leased(count: int, devices: Sequence[str], directory: Path) -> Iterator[list[str]]:
    """Hold `count` of `devices` for the block; waits until that many are free.

    Raises:
        InputError: there are fewer devices.
    """
    if count > len(devices):
        raise InputError(
            f"the rule needs gpu={count}, but this machine allows {len(devices)} ({', '.join(devices)}): lower "
            "`gpu` of the rule (--set-resources), or run on a machine with more"
        )
    while True:
        with ExitStack() as locks:
            with open_lock(directory / "guard.lock") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)  # one job at a time: two with half of the devices each would deadlock
                leases = list(itertools.islice((name for name in devices if _lock(directory / name, locks)), count))
            if len(leases) == count:
                yield leases
                return
        time.sleep(POLL_SECONDS)


@contextmanager
def job_devices(job: Any) -> Iterator[None]:
    """CUDA_VISIBLE_DEVICES of Snakemake's `job` for the block, set before torch is imported.

    A job whose rule has no `gpu` sees none. On a machine without devices the job runs on the CPU.

    Raises:
        InputError: the job needs more devices than there are, or Slurm does not name them.
    """
    count = job.resources.get("gpu")
    if not count:
        os.environ[VARIABLE] = ""
        if count == 0:
            log.warning("rule %s can use a GPU, but has `--resources gpu=0`: it runs on the CPU", job.rule)
        yield
        return
    allowed = allowed_devices()
    _refuse_unnamed(allowed)
    if not allowed:
        yield
        return
    with leased(count, allowed, lease_directory()) as leases:
        os.environ[VARIABLE] = ",".join(leases)
        log.info("rule %s uses device %s", job.rule, os.environ[VARIABLE])
        yield


def _refuse_unnamed(allowed: Sequence[str]) -> None:
    """Raise an InputError in a Slurm job whose devices are not named: all jobs on a node would use its first."""
    number = os.environ.get("SLURM_JOB_ID")
    if number and VARIABLE not in os.environ and (allowed or any(os.environ.get(name) for name in SLURM_GPUS)):
        raise InputError(
            f"{VARIABLE} is unset in Slurm job {number}, so jobs on one node would share its first GPU: name the GPUs' "
            "device files in the cluster's gres.conf (such as `Name=gpu File=/dev/nvidia[0-3]`), not a count. "
            f"If the job requested no GPU: request one (`--gpus=1`), or set {VARIABLE} to nothing to run on the CPU"
        )


def _lock(file: Path, locks: ExitStack) -> bool:
    """Take the lock `file` until `locks` closes; whether it was free."""
    opened = locks.enter_context(open_lock(file))
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
