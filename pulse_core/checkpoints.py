"""The state of a training, kept on the disk as it goes, so that a killed one goes on and ends with the same bytes.

One file holds all of it: tensors (weights, the best ones so far, the optimiser's moments) and, in the header, numbers
and a key, the hash of everything that determines the training. No generator's state is kept: a step's draws must come
from a seed of its own.
"""

import copy
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from pulse_core import processes
from pulse_core.artifacts import whole_file
from pulse_core.data.recorded import fingerprint

log = logging.getLogger("pulse")
# A state is written so often, or as seldom as it takes to spend no more than this share of the time on it: large states
# and slow disks get fewer.
SECONDS = 60.0
SHARE = 0.02
LIBRARIES = ("torch", "transformers", "peft")
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class State:
    """Where a training stood."""

    numbers: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]  # by group and name, on the CPU


class Checkpoint:
    """The state of the one training that works in a directory.

    Of processes that train together the first one writes; all go on from what it wrote.

    Args:
        directory: a directory of its own, for what a training needs until it is done; without one nothing is kept.
        code: the version of the code that trains.
        model: the directory of the model that training starts from.
    """

    def __init__(self, directory: Path | None = None, code: str = "", model: Path | None = None) -> None:
        self.directory = directory
        self._made_of: list[Any] = [code, [f"{name} {version(name)}" for name in LIBRARIES]]
        if model is not None:
            files = sorted(file for file in model.rglob("*") if file.is_file())
            self._made_of.append([[file.name, fingerprint(file).sha256] for file in files])
        self._key = ""
        self._next = 0.0

    def part(self, name: str) -> "Checkpoint":
        """Of a training in several stages: the checkpoint of one, in a directory of that name below."""
        part = copy.copy(self)
        part.directory = self.directory / name if self.directory else None
        return part

    @property
    def _file(self) -> Path | None:
        return self.directory / "training.safetensors" if self.directory else None

    def resume(self, *determined_by: object) -> State | None:
        """Where a killed run of the same training stood; None if there was none.

        Args:
            determined_by: what the training depends on beside code and model, as values that JSON has or dataclasses.
        """
        content = orjson.dumps([*self._made_of, *determined_by], option=orjson.OPT_SERIALIZE_NUMPY)
        self._key = hashlib.sha256(content).hexdigest()
        state = self._read()
        # All from one place, or all anew; and none writes before the last one has read.
        found = processes.total(np.array([float(state is not None)]))
        self._next = time.monotonic() + SECONDS
        return state if found == processes.count() else None

    def _read(self) -> State | None:
        if self._file is None or not self._file.exists():
            return None
        try:
            with safe_open(self._file, "pt") as opened:
                told = opened.metadata() or {}
                if told.get("key") != self._key:
                    log.info("%s is of other settings, data, model or code: the training starts anew", self._file)
                    return None
            # Copies: what is loaded is the file itself, mapped, and that is to be replaced.
            flat = {path: tensor.clone() for path, tensor in load_file(self._file).items()}
        except (OSError, SafetensorError) as error:
            log.warning("%s cannot be read (%s): the training starts anew", self._file, error)
            return None
        tensors: dict[str, dict[str, Tensor]] = {}
        for path, tensor in flat.items():
            group, name = path.split("/", 1)
            tensors.setdefault(group, {})[name] = tensor
        log.info("the training goes on from %s", self._file)
        return State(json.loads(told["numbers"]), tensors)

    def due(self) -> bool:
        """Is it time to `write`? Only ever in the first of several processes."""
        return self.directory is not None and processes.rank() == 0 and time.monotonic() >= self._next

    def write(self, numbers: Mapping[str, Any], **groups: Tensors) -> None:
        """Put this state in the place of the one before, whole or not at all.

        Where there is no room for it the training goes on, and the log says so.
        """
        assert self.directory is not None and self._file is not None
        started = time.monotonic()
        tensors = {
            f"{group}/{name}": tensor.detach().contiguous()
            for group, named in groups.items()
            for name, tensor in named.items()
        }
        # safetensors writes a file of its own making beside the one it is told, and killed leaves it there.
        scratch = self.directory / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir(parents=True)
            with whole_file(self._file) as partial:
                save_file(tensors, scratch / "state", {"key": self._key, "numbers": json.dumps(numbers)})
                (scratch / "state").replace(partial)
        except (OSError, SafetensorError) as error:
            log.warning("the state of the training cannot be written (%s): it goes on without", error)
        ended = time.monotonic()
        self._next = ended + max(SECONDS, (ended - started) / SHARE)

    def remove(self) -> None:
        """Delete the directory: what the training was for is written, and what cannot be deleted does no harm."""
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)


def digest_of_arrays(*lists: Sequence[np.ndarray]) -> str:
    """A hash of lists of whole-number arrays, the boundaries between arrays included."""
    digest = hashlib.sha256()
    for arrays in lists:
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        digest.update(lengths.tobytes() + np.concatenate([*arrays, np.zeros(0, np.int64)]).astype(np.int64).tobytes())
    return digest.hexdigest()


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """The moments and step counts of an optimiser whose state is tensors, by parameter number and name."""
    return {
        f"{number}/{name}": value
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Tensors) -> None:
    """Put `optimiser_tensors` back; the groups' settings stay the optimiser's own."""
    state: dict[int, dict[str, Tensor]] = {}
    for path, value in tensors.items():
        number, name = path.split("/")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
