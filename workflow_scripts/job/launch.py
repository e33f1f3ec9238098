"""Runs a stage in one process or, to train on several GPUs, in several: `accelerate launch`.

The script that Snakemake started leases the devices, opens the log, writes the job to a file and starts its own module
once per device. Every process does the work, the first one writes the outputs. If one fails or is killed, the others
are stopped; if the script is killed, they exit.
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
    """Named inputs, outputs or params of a job with Snakemake's interface: attributes, and `get`."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value called `name`, or `default`."""
        return getattr(self, name, default)


def do(job: Any, work: Work, module: str) -> None:
    """Run `work(job)` in this process or, with `processes` above 1 in the job's settings, in that many processes.

    Args:
        job: Snakemake's job, inside `stage(job)`.
        work: run by every process; only `pulse_core.processes.rank() == 0` may write.
        module: the script's dotted name; as `__main__` without Snakemake it must call `work_here(work)`.

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

    directory = DIRECTORY / job_name(job)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    write_json(directory / "job.json", _described(job, count))
    _launch(directory, module, count)
    shutil.rmtree(directory)


def _described(job: Any, count: int) -> dict[str, Any]:
    """What a process needs to know about the job."""
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
    """Run `accelerate launch` on `module` inside this process, so that workers exit when it does."""
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # An explicit configuration: a file that `accelerate config` wrote into the user's home is ignored.
    config = {
        "compute_environment": "LOCAL_MACHINE",
        # Accelerate's name for several processes on one machine; MULTI_CPU starts one and leaves the rest to MPI.
        "distributed_type": "MULTI_GPU",
        "num_machines": 1,
        "num_processes": count,
        "machine_rank": 0,
        "main_process_port": 0,  # any free port: jobs may run in parallel
        "mixed_precision": "no",  # `dtype` sets the precision
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
        exit_codes = {number: failure.exitcode for number, failure in failed.failures.items()}
        raise _failure(directory, exit_codes, count) from None


def _failure(directory: Path, exit_codes: dict[int, int], count: int) -> Exception:
    """The error to raise for failed processes: the first cause, not the failures that followed from it."""
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in directory.glob("failed-*.json")]
    for failure in sorted(reports, key=lambda failure: failure["process"]):
        if failure["input_error"]:
            return InputError(failure["message"])
    for number, code in sorted(exit_codes.items()):
        if code < 0 and code != -signal.SIGTERM:  # which accelerate sends to the remaining processes
            return ChildProcessError(
                f"process {number + 1} of {count} was ended by {signal.Signals(-code).name}: probably out of memory; "
                "lower `processes`, or give the job more memory"
            )
    for failure in sorted(reports, key=lambda failure: failure["time"]):
        return ChildProcessError(f"process {failure['process'] + 1} of {count} failed: {failure['message']}")
    return ChildProcessError(f"its processes exited without reporting an error; exit codes by rank: {exit_codes}")


def work_here(work: Work) -> None:
    """The `__main__` of a script that `do` started: run `work` as one of several processes.

    Raises:
        SystemExit: with status 1 after any error, which the script that started this process reports.
    """
    file = Path(sys.argv[1])
    description = json.loads(file.read_text(encoding="utf-8"))
    number = int(os.environ["RANK"])
    if os.getppid() != description["script"]:
        raise SystemExit("the script that started this process has ended")
    script = psutil.Process(description["script"])
    end_when(lambda: gone(script, "script, process"))
    clamp_threads(description["threads"])
    job = SimpleNamespace(
        rule=description["rule"], **{part: Files(**description[part]) for part in ("input", "output", "params")}
    )
    # Only the first process logs; errors are logged from all.
    with logged(Path(description["log"]), logging.INFO if number == 0 else logging.ERROR, again=True) as lines:
        from pulse_core.artifacts import of_corpus, write_json

        try:
            from accelerate import PartialState

            from pulse_core.models import device

            # On GPUs, NCCL needs gloo beside it for tensors in CPU memory (pulse_core.processes).
            backend = {"backend": "cuda:nccl,cpu:gloo"} if device().type == "cuda" else {}
            state = PartialState(cpu=not backend, **backend)
            log.info("process %d of %d, %d threads each", number + 1, state.num_processes, description["threads"])
            with of_corpus(description["corpus"]):
                work(job)
            state.destroy_process_group()
        except Exception as error:
            failure = {
                "process": number,
                "time": time.time(),
                "input_error": isinstance(error, InputError),
                "message": str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}",
            }
            # After the first failure, others only lose their connection.
            first = not any(file.parent.glob("failed-*.json"))
            write_json(file.with_name(f"failed-{number}.json"), failure)
            if first and not failure["input_error"]:
                note = f"process {number + 1} of {description['processes']} failed"
                lines.handle(log.makeRecord(log.name, logging.ERROR, "", 0, note, (), sys.exc_info()))
            raise SystemExit(1) from error
