"""One driver per working directory, and jobs that know which driver they belong to.

The driver is the `snakemake` process that a user starts. It holds a lock file until it ends, however it ends, and
writes its name into the file. Jobs inherit the name in their environment, on any node: a cluster's jobs outlive a
killed driver, and must not write over the next driver's artifacts.
"""

import datetime
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from pulse_core.errors import InputError
from workflow_scripts.job.locks import open_lock
from workflow_scripts.job.records import pass_on_options

LOCK = Path(".snakemake/driver.lock")
VARIABLE = "PULSE_DRIVER"


def take_working_directory() -> IO[str]:
    """Make this process the only driver here, until it ends or the returned file is closed.

    Raises:
        InputError: another call is running here.
    """
    lock = open_lock(LOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"process {current()} is running this workflow in {Path.cwd()}: let it end first") from None
    started = datetime.datetime.now(datetime.UTC).isoformat()
    pass_on_options()
    os.environ[VARIABLE] = f"{os.getpid()} on {socket.gethostname()} since {started}"
    # A job that reads the file meanwhile belongs to an earlier driver and ends anyway.
    lock.truncate(0)
    lock.write(os.environ[VARIABLE])
    lock.flush()
    os.fsync(lock.fileno())  # other nodes read it while it is open here
    return lock


def current() -> str:
    """Name of the latest driver of this working directory; "" if there was none."""
    return LOCK.read_text(encoding="utf-8").strip() if LOCK.exists() else ""


def successor() -> str | None:
    """The driver that replaced the one which started this job; None if none did."""
    mine, latest = os.environ.get(VARIABLE), current()
    return latest if mine and latest and latest != mine else None


def refuse_orphan() -> None:
    """Check in a job, before Snakemake touches its outputs, that its driver is still the latest.

    Raises:
        InputError: another driver took over while the job was in the cluster's queue.
    """
    if other := successor():
        raise InputError(
            f"this job belongs to process {os.environ[VARIABLE]}, and process {other} has taken over: it ends here"
        )
