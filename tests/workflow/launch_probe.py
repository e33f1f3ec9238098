"""A script of two processes, in the place of a training: what tests/workflow/test_launch.py runs and interrupts.

python -m tests.workflow.launch_probe <kind of work>     (the processes it starts are told a file instead)
"""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.iocontainers import Namedlist

from pulse_core.errors import InputError
from workflow_scripts.job.launch import do, work_here
from workflow_scripts.job.stage import stage


def work(job: Any) -> None:
    """Meet the other process, then do what the job's params say."""
    import numpy as np

    from pulse_core import processes

    kind, second = job.params.kind, processes.rank() == 1
    Path(f"pid-{processes.rank()}").write_text(str(os.getpid()))
    numbers = processes.total(np.array([1.0, processes.rank()]))
    if kind == "input error" and second:
        raise InputError("reviews.jsonl.gz, line 3: mend it")
    if kind == "error" and second:
        raise ZeroDivisionError("a planted error")
    if kind == "wait" and second:
        time.sleep(60)
    processes.total(numbers)  # the first process waits here for the second
    if not second:
        told = [*numbers.tolist(), job.input.get("rationales"), job.input.tables, os.environ["OMP_NUM_THREADS"]]
        Path(job.output.told).write_text(repr(told))


def main(kind: str) -> None:
    """The script's part."""
    job = SimpleNamespace(
        rule="ranker",
        threads=2,
        input=Namedlist(fromdict={"tables": ["a.txt", "b.txt"]}),
        output=Namedlist(fromdict={"told": "told.txt"}),
        params=Namedlist(fromdict={"kind": kind, "settings": {"processes": 2}}),
        log=["logs/luxury/ranker.log"],
        wildcards={},
        resources={"gpu": 2},
    )
    with stage(job):
        do(job, work, "tests.workflow.launch_probe")


if __name__ == "__main__":
    if sys.argv[1].endswith(".json"):
        work_here(work)
    else:
        main(sys.argv[1])
