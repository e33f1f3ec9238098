"""Checkpoints of a training: a killed run resumes from the last one and ends with the same bytes.

One file holds the tensors (current and best weights, optimiser moments) and, in its header, numbers and a key: the hash
of everything that determines the training.
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
from pulse_core.artifacts import sha256_of, whole_file

log = logging.getLogger("pulse")
# Seconds between two checkpoints, or more where writing them would take more than this share of the time.
SECONDS = 60.0
SHARE = 0.02
LIBRARIES = ("torch", "transformers", "peft")
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class State:
    """What a checkpoint holds."""

    numbers: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]  # by group and name, on the CPU


class Checkpoint:
    """The checkpoint of the one training that works in a directory.

    Of processes that train together, the first one writes and all resume from what it wrote.

    Args:
        directory: used by this training alone and removed when it is done; None: nothing is saved.
        code: the version of the code that trains.
        model: the directory of the model that training starts from.
    """

    def __init__(self, directory: Path | None = None, code: str = "", model: Path | None = None) -> None:
        self.directory = directory
        self._made_of: list[Any] = [code, [f"{name} {version(name)}" for name in LIBRARIES]]
        if model is not None:
            files = sorted(file for file in model.rglob("*") if file.is_file())
            self._made_of.append([[file.name, sha256_of(file)] for file in files])
        self._key = ""
        self._next = 0.0

    def part(self, name: str) -> "Checkpoint":
        """The checkpoint of one stage of a training, in a subdirectory."""
        part = copy.copy(self)
        part.directory = self.directory / name if self.directory else None
        return part

    @property
    def _file(self) -> Path | None:
        return self.directory / "training.safetensors" if self.directory else None

    def resume(self, *determined_by: object) -> State | None:
        """The state of a killed run of the same training, if there is one. `determined_by`: JSON values or dataclasses
        that the training depends on beside code and model."""
        content = orjson.dumps([*self._made_of, *determined_by], option=orjson.OPT_SERIALIZE_NUMPY)
        self._key = hashlib.sha256(content).hexdigest()
        state = self._read()
        # All processes resume or none does; none writes before the last one has read.
        readers = processes.total(np.array([float(state is not None)]))
        self._next = time.monotonic() + SECONDS
        return state if readers == processes.count() else None

    def _read(self) -> State | None:
        if self._file is None or not self._file.exists():
            return None
        try:
            with safe_open(self._file, "pt") as opened:
                metadata = opened.metadata() or {}
                if metadata.get("key") != self._key:
                    log.info("%s is of other settings, data, model or code: training starts again", self._file)
                    return None
            tensors: dict[str, dict[str, Tensor]] = {}
            for path, tensor in load_file(self._file).items():
                group, name = path.split("/", 1)
                # Cloned, because loaded tensors are mapped to the file, which will be replaced.
                tensors.setdefault(group, {})[name] = tensor.clone()
        except (OSError, SafetensorError) as error:
            log.warning("%s cannot be read (%s): training starts again", self._file, error)
            return None
        log.info("training resumes from %s", self._file)
        return State(json.loads(metadata["numbers"]), tensors)

    def due(self) -> bool:
        """Whether it is time to `write`; always False in all processes but the first."""
        return self.directory is not None and processes.rank() == 0 and time.monotonic() >= self._next

    def write(self, numbers: Mapping[str, Any], **groups: Tensors) -> None:
        """Replace the saved state, whole or not at all. If the disk is full, the log says so and training continues."""
        assert self.directory is not None and self._file is not None
        started = time.monotonic()
        tensors = {
            f"{group}/{name}": tensor.detach().contiguous()
            for group, named in groups.items()
            for name, tensor in named.items()
        }
        # safetensors leaves a temporary file behind when it is killed: give it a directory to clean.
        scratch = self.directory / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir(parents=True)
            with whole_file(self._file) as partial:
                save_file(tensors, scratch / "state", {"key": self._key, "numbers": json.dumps(numbers)})
                (scratch / "state").replace(partial)
        except (OSError, SafetensorError) as error:
            log.warning("the state of the training cannot be written (%s): training continues without it", error)
        ended = time.monotonic()
        self._next = ended + max(SECONDS, (ended - started) / SHARE)

    def remove(self) -> None:
        """Delete the directory, once the artifacts are written."""
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
    """Restore `optimiser_tensors`; the settings of the parameter groups stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for path, value in tensors.items():
        number, name = path.split("/")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
