"""What every script does round its one call of pulse_core: threads, device, log file, corpus mark, readable errors."""

import fcntl
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

from pulse_core.errors import InputError
from workflow_scripts.job import driver
from workflow_scripts.job.devices import job_devices

log = logging.getLogger("pulse")
REPOSITORY = Path(__file__).resolve().parents[2]
SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def usable_cpus() -> int:
    """CPUs that this process may run on (fewer than the machine's in a container or under a cluster's cgroup)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clamp_threads(threads: int) -> int:
    """Tell numerical libraries to use `threads`, but no more than there are CPUs: `--cores 8` on 2 must not thrash.

    The libraries read these variables when they are first imported, so scripts import inside `with stage(...)`.
    """
    allowed = max(1, min(threads, usable_cpus()))
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(allowed)))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if allowed > 1 else "false")
    os.environ.setdefault("RAYON_NUM_THREADS", str(allowed))
    return allowed


def quiet_bars() -> None:
    """No progress bars where nobody watches them: a file would fill with their every step."""
    if not sys.stderr.isatty():
        os.environ["TQDM_DISABLE"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def end_with_driver(poll_seconds: float = 0.5) -> None:
    """End this process soon after its driver: an orphan would write beside the next call's job.

    A killed driver cannot tell its jobs. On one machine it is the Snakemake process above this one (a shell may stand
    between, so the signal for a dead parent is not enough). A cluster's job has a Snakemake of its own above it: it may
    work on alone, and ends when the next driver takes over the working directory.
    """
    above = psutil.Process().parents()
    parent = next((process for process in above if process.name() not in SHELLS), None)

    def reason() -> str | None:
        if other := driver.successor():
            return f"process {other} has taken over"
        return gone(parent, "Snakemake process") if parent else None

    end_when(reason, poll_seconds)


def gone(process: psutil.Process, name: str) -> str | None:
    """What to say of a process, called `name`, that has ended, however it ended; None while it runs."""
    try:
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        alive = False
    return None if alive else f"the {name} {process.pid} has gone"


def end_when(reason: Callable[[], str | None], poll_seconds: float = 0.5) -> None:
    """End this process soon after there is a `reason` to, with that in the log."""

    def watch() -> None:
        while not (told := reason()):
            threading.Event().wait(poll_seconds)
        log.error("%s: this job ends, the next call takes it up again", told)
        logging.shutdown()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="driver-watch").start()


def job_name(job: Any) -> str:
    """A file name that is this job's alone."""
    return str(job.log[0]).replace("/", "-")


def own_job(name: str) -> IO[str]:
    """Wait until no other process works at the job called `name`; the lock is held until the file is closed."""
    file = Path(".snakemake/jobs") / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.open("a", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextmanager
def logged(path: Path, level: int = logging.INFO, *, again: bool = False) -> Iterator[logging.Handler]:
    """Plain lines of the block into the rule's log file, or behind what it holds if `again`; warnings on the terminal.

    Yields:
        The log file's handler, for what the terminal is told in another way.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not again:
        path.write_text("")
    # Always behind what is there: the processes of one job write to one file.
    lines = logging.FileHandler(path, mode="a", encoding="utf-8")
    lines.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    lines.setLevel(level)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    terminal.setLevel(max(level, logging.WARNING))
    terminal.addFilter(logging.Filter("pulse"))
    root = logging.getLogger()
    levels = log.level, root.level
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for handler in (lines, terminal):
        root.addHandler(handler)
    try:
        yield lines
    finally:
        log.setLevel(levels[0])
        root.setLevel(levels[1])
        logging.captureWarnings(False)
        for handler in (lines, terminal):
            root.removeHandler(handler)
            handler.close()


def corpus_of_inputs(files: Iterable[str]) -> str | None:
    """The corpus of a job's input tables, several joined by +; so a mark that the corpus stage sets is handed on."""
    from pulse_core.artifacts import corpus_of

    named = {corpus_of(file) for file in map(str, files) if file.endswith(".parquet")}
    return "+".join(sorted(name for name in named if name)) or None


@contextmanager
def stage(job: Any) -> Iterator[None]:
    """Run a script's body as the stage that Snakemake's `job` describes.

    Raises:
        SystemExit: with status 1 after an `InputError`, whose message is all that the user needs to read, or after a
            `ChildProcessError`, whose process has left its traceback in the log.
    """
    lock = own_job(job_name(job))
    end_with_driver()
    try:
        with logged(Path(job.log[0])) as lines:
            try:
                threads = clamp_threads(job.threads)
                log.info("rule %s %s, %d threads", job.rule, dict(job.wildcards.items()), threads)
                quiet_bars()
                from pulse_core.artifacts import of_corpus

                with job_devices(job), of_corpus(corpus_of_inputs(job.input)):
                    yield
                log.info("rule %s done", job.rule)
            except (InputError, ChildProcessError) as error:
                log.error("%s: %s", job.rule, error)
                raise SystemExit(1) from None
            except Exception:
                lines.handle(log.makeRecord(log.name, logging.ERROR, "", 0, "failed", (), sys.exc_info()))
                raise
    finally:
        lock.close()
