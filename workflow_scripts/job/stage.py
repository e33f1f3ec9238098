"""What a script's call of pulse_core runs in: threads, device, log file, corpus name, readable errors."""

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
from workflow_scripts.job.locks import open_lock
from workflow_scripts.job.records import recorded

log = logging.getLogger("pulse")
REPOSITORY = Path(__file__).resolve().parents[2]
SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def usable_cpus() -> int:
    """CPUs that this process may use (a container or a cluster's cgroup may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clamp_threads(threads: int) -> int:
    """Limit numerical libraries to `threads`, and to the usable CPUs: `--cores 8` on 2 must not thrash.

    The libraries read these variables when imported, so scripts import them inside `with stage(...)`.

    Returns:
        The number of threads.
    """
    allowed = max(1, min(threads, usable_cpus()))
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(allowed)))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if allowed > 1 else "false")
    os.environ.setdefault("RAYON_NUM_THREADS", str(allowed))
    return allowed


def quiet_bars() -> None:
    """Switch progress bars off unless stderr is a terminal: they would fill a file."""
    if not sys.stderr.isatty():
        os.environ["TQDM_DISABLE"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def end_with_driver(poll_seconds: float = 0.5) -> None:
    """End this process soon after its driver: an orphan could overwrite the next call's artifacts.

    A killed driver cannot notify its jobs. On one machine it is the nearest ancestor that is not a shell. A cluster's
    job has another Snakemake process as ancestor: the job survives its driver, and ends when a new one takes over the
    working directory.
    """
    ancestors = psutil.Process().parents()
    parent = next((process for process in ancestors if process.name() not in SHELLS), None)

    def reason() -> str | None:
        if other := driver.successor():
            return f"process {other} has taken over"
        return gone(parent, "Snakemake process") if parent else None

    end_when(reason, poll_seconds)


def gone(process: psutil.Process, name: str) -> str | None:
    """A message that `process`, called `name`, has ended; None while it runs."""
    try:
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        alive = False
    return None if alive else f"the {name} {process.pid} has ended"


def end_when(reason: Callable[[], str | None], poll_seconds: float = 0.5) -> None:
    """End this process as soon as `reason` returns one, which is logged; it is polled in a thread."""

    def watch() -> None:
        while not (message := reason()):
            threading.Event().wait(poll_seconds)
        log.error("%s: this job ends, the next call resumes it", message)
        logging.shutdown()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="driver-watch").start()


def job_name(job: Any) -> str:
    """A file name that is unique to this job."""
    return str(job.log[0]).replace("/", "-")


def own_job(name: str) -> IO[str]:
    """Wait until no other process runs the job called `name`; the lock is held until the file is closed."""
    lock = open_lock(Path(".snakemake/jobs") / f"{name}.lock")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextmanager
def logged(path: Path, level: int = logging.INFO, *, again: bool = False) -> Iterator[logging.Handler]:
    """Log the block to the rule's log file, which is emptied first unless `again`; warnings go to the terminal, too.

    Yields:
        The log file's handler, for lines that the terminal should not show.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not again:
        path.write_text("")
    # Append: the processes of one job write to the same file.
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
    """Name of the corpus of a job's input tables (several joined by +), which its outputs inherit."""
    from pulse_core.artifacts import corpus_of

    named = {corpus_of(file) for file in map(str, files) if file.endswith(".parquet")}
    return "+".join(sorted(name for name in named if name)) or None


@contextmanager
def stage(job: Any) -> Iterator[None]:
    """Run a script's body as the stage described by Snakemake's `job`.

    Raises:
        SystemExit: with status 1 after an `InputError`, whose message is enough for the user, or after a
            `ChildProcessError`, whose traceback is in the log.
    """
    try:
        lock = own_job(job_name(job))
    except InputError as error:
        raise SystemExit(f"{job.rule}: {error}") from None
    end_with_driver()
    try:
        with logged(Path(job.log[0])) as lines:
            try:
                threads = clamp_threads(job.threads)
                log.info("rule %s %s, %d threads", job.rule, dict(job.wildcards.items()), threads)
                quiet_bars()
                from pulse_core.artifacts import of_corpus

                with recorded(job), job_devices(job), of_corpus(corpus_of_inputs(job.input)):
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
