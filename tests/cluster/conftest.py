"""A real Slurm for the tests of this directory, started where possible."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A one-node Slurm with two GPUs (declared, not real), stopped at the end unless it was already running.

    Where it cannot start (`make setup-slurm` not run, no root, another Slurm is running) the tests are skipped with
    that reason, or fail if PULSE_CLUSTER=required (set by CI).
    """
    was_up = subprocess.run([HERE / "slurm-up.sh", "--check"]).returncode == 0
    up = subprocess.run(
        [HERE / "slurm-up.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    if up.returncode:
        down(was_up)
        reason = f"no Slurm here: {up.stdout[-1500:].strip()}"
        pytest.fail(reason) if os.environ.get("PULSE_CLUSTER") == "required" else pytest.skip(reason)
    yield
    down(was_up)


def down(was_up: bool) -> None:
    """Stop the Slurm that the fixture started."""
    if not was_up:
        subprocess.run([HERE / "slurm-down.sh"], check=True, timeout=120)
