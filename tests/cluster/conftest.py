"""A real Slurm for the tests of this directory, brought up if it can be."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """One node with two counted GPUs. Taken down at the end, unless it was up before.

    Where it cannot be brought up (`make setup-slurm` not run, no root, somebody else's Slurm) the tests are skipped
    with that reason, or fail under PULSE_CLUSTER=required, which CI sets.
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
    """Stop what the fixture started."""
    if not was_up:
        subprocess.run([HERE / "slurm-down.sh"], check=True, timeout=120)
