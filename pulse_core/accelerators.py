"""The GPUs of this machine. Imports no torch: asking it would take seconds and start CUDA."""

import itertools
import os
import re
from pathlib import Path

VARIABLE = "CUDA_VISIBLE_DEVICES"
# Set by the workflow under `testing: true`: devices are names only, and what holds one runs on the CPU.
PRETENDED = "PULSE_PRETENDED_DEVICES"


def machine_devices(directory: Path = Path("/dev")) -> list[str]:
    """The GPUs of this machine as CUDA numbers them: from 0, whatever numbers their device files bear.

    A container that was given /dev/nvidia3 alone has one device, and its name is 0.
    """
    files = [file for file in directory.glob("nvidia*") if re.fullmatch(r"nvidia\d+", file.name)]
    return [str(position) for position in range(len(files))]


def accelerated() -> bool:
    """Whether this process may use a GPU of this machine."""
    return bool(machine_devices() and allowed_devices())


def allowed_devices() -> list[str]:
    """The devices this process may use: what CUDA_VISIBLE_DEVICES names (set by a cluster or the user), else all."""
    return machine_devices() if os.environ.get(VARIABLE) is None else _named()


def devices_to_use() -> list[str]:
    """The devices that this process was told to use, and must not do without: what CUDA_VISIBLE_DEVICES names."""
    return [] if PRETENDED in os.environ else _named()


def _named() -> list[str]:
    names = (name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # CUDA sees none behind an invalid one
