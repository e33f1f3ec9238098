"""A two-process script in place of a training, which tests/workflow/test_launch.py runs and interrupts.

python -m tests.workflow.launch_probe <kind of work>     (the processes it starts get a .json file instead)
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
    """Synchronise with the other process, then do what the job's params say."""
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
        result = [*numbers.tolist(), job.input.get("rationales"), job.input.tables, os.environ["OMP_NUM_THREADS"]]
        Path(job.output.result).write_text(repr(result))


def main(kind: str) -> None:
    """Run as the rule's script."""
    job = SimpleNamespace(
        rule="ranker",
        threads=2,
        input=Namedlist(fromdict={"tables": ["a.txt", "b.txt"]}),
        output=Namedlist(fromdict={"result": "result.txt"}),
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
