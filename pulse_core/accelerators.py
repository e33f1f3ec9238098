"""The GPUs of this machine, found without torch, whose import takes seconds and starts CUDA."""

import itertools
import os
import re
from pathlib import Path

VARIABLE = "CUDA_VISIBLE_DEVICES"
# Set by the workflow under `testing: true`: devices are only names, and jobs that hold one run on the CPU.
PRETENDED = "PULSE_PRETENDED_DEVICES"
# WSL2 has one device file, dxg, for all GPUs of any make; NVIDIA's driver for Windows adds libcuda there.
WSL_LIBRARY = Path("/usr/lib/wsl/lib/libcuda.so.1")


def machine_devices(directory: Path = Path("/dev"), wsl_library: Path = WSL_LIBRARY) -> list[str]:
    """The GPUs of this machine as CUDA numbers them: from 0, whatever the numbers of their device files.

    A container that was given only /dev/nvidia3 has one device, called 0. Under WSL2 only the first GPU is known.
    """
    files = [file for file in directory.glob("nvidia*") if re.fullmatch(r"nvidia\d+", file.name)]
    if not files and (directory / "dxg").exists() and wsl_library.exists():
        return ["0"]
    return [str(position) for position in range(len(files))]


def accelerated() -> bool:
    """Whether this process may use a GPU of this machine."""
    return bool(machine_devices() and allowed_devices())


def allowed_devices() -> list[str]:
    """Devices that this process may use: those in CUDA_VISIBLE_DEVICES (set by a cluster or the user), else all."""
    return machine_devices() if os.environ.get(VARIABLE) is None else _visible()


def devices_to_use() -> list[str]:
    """Devices that this process must use: those in CUDA_VISIBLE_DEVICES."""
    return [] if PRETENDED in os.environ else _visible()


def _visible() -> list[str]:
    names = (name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    # CUDA ignores everything from the first invalid name on.
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))
