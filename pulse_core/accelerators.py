"""The GPUs of this machine. Imports no torch: asking it would take seconds and start CUDA."""

import itertools
import os
import re
from pathlib import Path

VARIABLE = "CUDA_VISIBLE_DEVICES"


def machine_devices(directory: Path = Path("/dev")) -> list[str]:
    """The GPUs of this machine by their device files."""
    numbers = (re.fullmatch(r"nvidia(\d+)", file.name) for file in directory.glob("nvidia[0-9]*"))
    return [str(number) for number in sorted(int(match[1]) for match in numbers if match)]


def accelerated() -> bool:
    """Whether this process may use a GPU of this machine."""
    return bool(machine_devices() and allowed_devices())


def allowed_devices() -> list[str]:
    """The devices this process may use: what CUDA_VISIBLE_DEVICES names (set by a cluster or the user), else all."""
    told = os.environ.get(VARIABLE)
    if told is None:
        return machine_devices()
    named = (name.strip() for name in told.split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), named))  # CUDA sees none behind an invalid one
