"""One driver a working directory, and jobs that know which driver they belong to.

The driver is the `snakemake` process that a user starts. It holds a lock until it ends, however it ends, and its name
stands in the locked file. Its jobs inherit the name in their environment, on whichever node they run: a cluster's jobs
outlive a killed driver, and one that finds another name there would write beside, or over, what the next call makes.
"""

import datetime
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from pulse_core.errors import InputError

LOCK = Path(".snakemake/driver.lock")
VARIABLE = "PULSE_DRIVER"


def take_working_directory() -> IO[str]:
    """Make this process the only driver here, until it ends or the returned file is closed.

    Raises:
        InputError: another call is at work here.
    """
    lock = LOCK.open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"process {current()} is running this workflow in {Path.cwd()}: let it end first") from None
    started = datetime.datetime.now(datetime.UTC).isoformat()
    os.environ[VARIABLE] = f"{os.getpid()} on {socket.gethostname()} since {started}"
    # A job that reads between these lines finds a name that is not its own, and is about to end anyway.
    lock.truncate(0)
    lock.write(os.environ[VARIABLE])
    lock.flush()
    os.fsync(lock.fileno())  # other nodes read it while it stays open here
    return lock


def current() -> str:
    """The name of the last driver that took this working directory; "" if there was none."""
    return LOCK.read_text(encoding="utf-8").strip() if LOCK.exists() else ""


def successor() -> str | None:
    """The driver that has taken over from the one which started this job; None while there is no such."""
    mine, latest = os.environ.get(VARIABLE), current()
    return latest if mine and latest and latest != mine else None


def refuse_orphan() -> None:
    """Called in a job before Snakemake touches its outputs.

    Raises:
        InputError: the job waited in the cluster's queue until after another driver had taken over.
    """
    if other := successor():
        raise InputError(
            f"this job belongs to process {os.environ[VARIABLE]}, and process {other} has taken over: it ends here"
        )
