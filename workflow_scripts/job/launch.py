"""A stage's work in one process or, for a training that is to use several GPUs, in several: `accelerate launch`.

The stage's script stays the one that Snakemake knows: it leases the devices, holds the log, and starts its own module
once a device with the job written down in a file. Every process does the work, the first one writes the outputs. If
one fails, or is killed, the others are ended; if the script is killed, they end by themselves.
"""

import json
import logging
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import yaml

from pulse_core.accelerators import allowed_devices
from pulse_core.errors import InputError
from workflow_scripts.job.stage import clamp_threads, corpus_of_inputs, end_when, gone, job_name, logged

log = logging.getLogger("pulse")
Work = Callable[[Any], None]
DIRECTORY = Path(".snakemake/jobs")


class Files(SimpleNamespace):
    """Named inputs, outputs or params of a job, as Snakemake hands them over: attributes, and `get`."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value called `name`, or `default`."""
        return getattr(self, name, default)


def do(job: Any, work: Work, module: str) -> None:
    """Do `work(job)` here or, with `processes` above 1 in the job's settings, in as many processes.

    Args:
        job: what Snakemake hands over; `stage(job)` must be open.
        work: what every process does; only the one of `pulse_core.processes.rank() == 0` may write.
        module: the script's dotted name; run as `__main__` without Snakemake it must call `work_here(work)`.

    Raises:
        InputError: there are fewer GPUs than processes, or a process raised it.
        ChildProcessError: a process failed in another way; its traceback is in the log.
    """
    count: int = job.params.settings["processes"]
    if count == 1:
        work(job)
        return
    devices = allowed_devices()
    if devices and len(devices) < count:
        raise InputError(
            f"{job.rule}.processes is {count}, but this job has {len(devices)} GPU ({', '.join(devices)}): run with "
            f"`--resources gpu={count}`, or lower {job.rule}.processes"
        )
    from pulse_core.artifacts import write_json

    # What a failed call left here is of no use to anybody.
    directory = DIRECTORY / job_name(job)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    write_json(directory / "job.json", _described(job, count))
    _launch(directory, module, count)
    shutil.rmtree(directory)


def _described(job: Any, count: int) -> dict[str, Any]:
    """All of the job that a process needs."""
    return {
        **{
            part: {name: value if isinstance(value, str) else list(value) for name, value in getattr(job, part).items()}
            for part in ("input", "output")
        },
        "params": dict(job.params.items()),
        "rule": job.rule,
        "log": str(job.log[0]),
        "corpus": corpus_of_inputs(job.input),
        "script": os.getpid(),
        "processes": count,
        "threads": max(1, int(os.environ["OMP_NUM_THREADS"]) // count),
    }


def _launch(directory: Path, module: str, count: int) -> None:
    """`accelerate launch` of `module`, from this process, which so is the parent that they all end with."""
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # A configuration of its own: whatever `accelerate config` wrote into this user's home has no say.
    config = {
        "compute_environment": "LOCAL_MACHINE",
        # Accelerate's name for several processes on a machine; its MULTI_CPU starts one and leaves the rest to MPI.
        "distributed_type": "MULTI_GPU",
        "num_machines": 1,
        "num_processes": count,
        "machine_rank": 0,
        "main_process_port": 0,  # any free one: two jobs may run side by side
        "mixed_precision": "no",  # the precision is `dtype`'s business
        "use_cpu": False,
        "debug": False,
    }
    file = directory / "accelerate.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = ["--config_file", str(file), "--module", module, str(directory / "job.json")]
    log.info("accelerate launch %s", shlex.join(arguments))
    try:
        launch_command(launch_command_parser().parse_args(arguments))
    except ChildFailedError as failed:
        ends = {number: failure.exitcode for number, failure in failed.failures.items()}
        raise _failure(directory, ends, count) from None


def _failure(directory: Path, ends: dict[int, int], count: int) -> Exception:
    """What to tell of processes that ended with these exit codes; the cause, not what it led to in the others."""
    told = [json.loads(file.read_text(encoding="utf-8")) for file in directory.glob("failed-*.json")]
    for failure in sorted(told, key=lambda failure: failure["process"]):
        if failure["input_error"]:
            return InputError(failure["message"])
    for number, code in sorted(ends.items()):
        if code < 0 and code != -signal.SIGTERM:  # which accelerate sends to those that are left
            return ChildProcessError(
                f"process {number + 1} of {count} was ended by {signal.Signals(-code).name}: if nobody sent it, memory "
                "may have run out; lower `processes`, or give the job more"
            )
    for failure in sorted(told, key=lambda failure: failure["time"]):
        return ChildProcessError(f"process {failure['process'] + 1} of {count} failed: {failure['message']}")
    return ChildProcessError(f"its processes ended without a word; exit codes by number, from 0: {ends}")


def work_here(work: Work) -> None:
    """The `__main__` of a script that `do` started: do the work as one process of several.

    Raises:
        SystemExit: with status 1 after any error, which the script then tells.
    """
    file = Path(sys.argv[1])
    told = json.loads(file.read_text(encoding="utf-8"))
    number = int(os.environ["RANK"])
    if os.getppid() != told["script"]:
        raise SystemExit("the script that started this process has gone")
    script = psutil.Process(told["script"])
    end_when(lambda: gone(script, "script, process"))
    clamp_threads(told["threads"])
    job = SimpleNamespace(rule=told["rule"], **{part: Files(**told[part]) for part in ("input", "output", "params")})
    # Of all processes the first one's lines are enough; errors matter from each.
    with logged(Path(told["log"]), logging.INFO if number == 0 else logging.ERROR, again=True) as lines:
        from pulse_core.artifacts import of_corpus, write_json

        try:
            from accelerate import PartialState

            from pulse_core.models import device

            # On GPUs gloo stands beside NCCL for what lies in the CPU's memory (pulse_core.processes).
            backend = {"backend": "cuda:nccl,cpu:gloo"} if device().type == "cuda" else {}
            state = PartialState(cpu=not backend, **backend)
            log.info("process %d of %d, %d threads each", number + 1, state.num_processes, told["threads"])
            with of_corpus(told["corpus"]):
                work(job)
            state.destroy_process_group()
        except Exception as error:
            failure = {
                "process": number,
                "time": time.time(),
                "input_error": isinstance(error, InputError),
                "message": str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}",
            }
            # Where another one failed before, this one only lost its connection to it.
            first = not any(file.parent.glob("failed-*.json"))
            write_json(file.with_name(f"failed-{number}.json"), failure)
            if first and not failure["input_error"]:
                note = f"process {number + 1} of {told['processes']} failed"
                lines.handle(log.makeRecord(log.name, logging.ERROR, "", 0, note, (), sys.exc_info()))
            raise SystemExit(1) from error
