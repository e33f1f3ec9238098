"""Trainings of tiny models, with dropout, that are killed and resumed: what tests/test_checkpoints.py compares."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import distributed

from pulse_core import processes
from pulse_core.checkpoints import Checkpoint
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.training import save_ranker, score, train
from pulse_core.sequence.sasrec_stage import run_sasrec
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.thought_space.training import train_thought_space
from tests import planted_cycle
from tests.process_probe import WORDS, asked, examples, ranker_settings, space_settings
from tests.workflow.tiny_models import save_encoder, save_language_model

# They end by patience, with the weights of an epoch that is neither the first nor the last, and in mid-epoch.
SPACE = {"batch_size": 8, "negatives": 3, "epochs": 9, "patience": 3, "learning_rate": 3e-3, "target_dropout": 0.5}
SASREC = {"dimension": 8, "max_length": 8, "batch_size": 32, "epochs": 9, "patience": 2, "validation_examples": 6}
RANKER = {"batch_users": 2, "gradient_accumulation": 2, "epochs": 10, "patience": 2, "learning_rate": 3e-2}


class Died(Exception):
    """In place of a SIGKILL, where that would end the test."""


def save_models(directory: Path) -> None:
    """The tiny models; the encoder has the library's dropout."""
    texts = [*WORDS, "Bought, oldest first: Why: Looks for Bought next:"]
    save_language_model(directory / "slm", texts)
    save_encoder(directory / "encoder", texts)


@contextmanager
def living(life: int, die: Callable[[], None]) -> Iterator[list[int]]:
    """The state is written every second time that it could be, from the first on; at time `life`, if ever, `die`.

    Yields:
        How often it could be.
    """
    times = [0]
    due = Checkpoint.due

    def counted(checkpoint: Checkpoint) -> bool:
        times[0] += 1
        checkpoint._next = 0.0
        if times[0] == life and processes.rank() == 0:
            die()
        return due(checkpoint) and times[0] % 2 == 1

    with mock.patch.object(Checkpoint, "due", counted):
        yield times


def run(training: str, models: Path, folder: Path, code: str = "code", **changes: Any) -> dict[str, bytes]:
    """Train, with the checkpoint in <folder>/work; the artifacts by name."""
    out = folder / f"artifacts-{processes.rank()}"
    if training == "space":
        checkpoint = Checkpoint(folder / "work", code, models / "encoder")
        space = train_thought_space(
            examples(30), space_settings(**{**SPACE, **changes}), 7, models / "encoder", checkpoint
        )
        space.report["timing"] = None
        space.save(out)
    elif training == "sasrec":
        checkpoint = Checkpoint(folder / "work", code)
        out.mkdir(exist_ok=True)
        tables = planted_cycle.made_interactions(), planted_cycle.made_examples(), planted_cycle.made_user_ids()
        chosen = {"learning_rate": 5e-2, "evaluate_every": 1, "cross_fit_folds": 2, **SASREC, **changes}
        run_sasrec(*tables, planted_cycle.ITEMS, SASRecSettings(**chosen), 3, out, checkpoint)
    else:
        checkpoint = Checkpoint(folder / "work", code, models / "slm")
        ranker = Ranker(models / "slm", ranker_settings(**{"lora_dropout": 0.3, **RANKER, **changes}), 2)
        record = train(ranker, asked(10), asked(6), 2, checkpoint)
        out.mkdir(exist_ok=True)
        save_ranker(ranker, out)
        np.save(out / "scores.npy", score(ranker, asked(11).questions, "test"))
        (out / "training.json").write_text(json.dumps(asdict(record)))
    return artifacts(folder, processes.rank())


def artifacts(folder: Path, rank: int = 0) -> dict[str, bytes]:
    """What the process `rank` has written, by name."""
    out = folder / f"artifacts-{rank}"
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def process(training: str, models: Path, folder: Path, rank: int, count: int, life: int) -> None:
    """Process `rank` of `count`; the first one dies by SIGKILL at time `life`."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet-{life}", rank=rank, world_size=count)
    with living(life, lambda: os.kill(os.getpid(), signal.SIGKILL)) as times:
        run(training, models, folder)
    (folder / "times").write_text(str(times[0]))
    distributed.destroy_process_group()
