"""Which accelerators a job uses. Snakemake only counts `gpu`; here each counted one becomes a device of the job's own.

A device is leased by a file lock, so it is given back when the process dies, however it dies.
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

log = logging.getLogger("pulse")
POLL_SECONDS = 0.5
# What Slurm sets in a job that it gave GPUs, their number or their names, whether or not it knows their device files.
SLURM_GPUS = ("SLURM_GPUS_ON_NODE", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS")


def lease_directory() -> Path:
    """Where the locks of this user lie. A Slurm allocation has its own: under device cgroups each counts from 0."""
    scope = os.environ.get("SLURM_JOB_ID", "machine")
    return Path(tempfile.gettempdir()) / f"pulse-devices-{os.getuid()}-{scope}"


@contextmanager
def leased(count: int, devices: Sequence[str], directory: Path) -> Iterator[list[str]]:
    """Hold `count` of `devices` for the block; waits until so many are free, and takes all of them or none.

    Raises:
        InputError: there are fewer devices than that.
    """
    if count > len(devices):
        raise InputError(
            f"the rule wants gpu={count}, this machine lets it use {len(devices)} ({', '.join(devices)}): lower `gpu` "
            "of the rule (--set-resources), or run where there are more"
        )
    directory.mkdir(parents=True, exist_ok=True)
    while True:
        with ExitStack() as held:
            with (directory / "guard.lock").open("a", encoding="utf-8") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)  # one at a time: two jobs that take half each would both go without
                mine = list(itertools.islice((name for name in devices if _lock(directory / name, held)), count))
            if len(mine) == count:
                yield mine
                return
        time.sleep(POLL_SECONDS)


@contextmanager
def job_devices(job: Any) -> Iterator[None]:
    """CUDA_VISIBLE_DEVICES of Snakemake's `job` for the block, set before torch is imported.

    A job whose rule asks for no `gpu` sees none. On a machine without devices `gpu` is only a token: the CPU does it.

    Raises:
        InputError: the job was given more than there are, or Slurm does not say which ones.
    """
    given = job.resources.get("gpu")
    if not given:
        os.environ[VARIABLE] = ""
        if given == 0:
            log.warning("rule %s wants an accelerator and was given `--resources gpu=0`: it runs on the CPU", job.rule)
        yield
        return
    allowed = allowed_devices()
    _refuse_unnamed(allowed)
    if not allowed:
        yield
        return
    with leased(given, allowed, lease_directory()) as mine:
        os.environ[VARIABLE] = ",".join(mine)
        log.info("rule %s uses device %s", job.rule, os.environ[VARIABLE])
        yield


def _refuse_unnamed(allowed: Sequence[str]) -> None:
    """Raise an InputError in a Slurm job whose devices nobody has named: all jobs of a node would take its first."""
    number = os.environ.get("SLURM_JOB_ID")
    if number and VARIABLE not in os.environ and (allowed or any(os.environ.get(name) for name in SLURM_GPUS)):
        raise InputError(
            f"{VARIABLE} is unset in Slurm job {number}, so jobs on one node would share its first GPU: name the GPUs' "
            "device files in the cluster's gres.conf (such as `Name=gpu File=/dev/nvidia[0-3]`), a count won't do. "
            f"If the job asked Slurm for no GPU: ask (`--gpus=1`), or set {VARIABLE} to nothing to run on the CPU"
        )


def _lock(file: Path, held: ExitStack) -> bool:
    """Whether nobody else holds the lock `file`; if so it is held until `held` closes."""
    opened = held.enter_context(file.open("a", encoding="utf-8"))
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
