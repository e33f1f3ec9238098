"""Trainings of tiny models with dropout that are killed and resumed, for tests/test_checkpoints.py."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.process_probe import WORDS, examples, question_set, ranker_settings, space_settings
from tests.workflow.tiny_models import save_encoder, save_language_model

# Patience ends these trainings, and they keep an epoch that is neither the first nor the last.
SPACE = {"batch_size": 8, "negatives": 3, "epochs": 9, "patience": 3, "learning_rate": 3e-3, "target_dropout": 0.5}
SASREC = {"dimension": 8, "max_length": 8, "batch_size": 32, "epochs": 9, "patience": 2, "validation_examples": 6}
RANKER = {"batch_users": 2, "gradient_accumulation": 2, "epochs": 10, "patience": 2, "learning_rate": 3e-2}


class Died(Exception):
    """Stands in for SIGKILL, which would end the test process."""


def save_models(directory: Path) -> None:
    """Save the tiny models; the encoder keeps the library's default dropout."""
    texts = [*WORDS, "Bought, oldest first: Why: Looks for Bought next:"]
    save_language_model(directory / "slm", texts)
    save_encoder(directory / "encoder", texts)


@contextmanager
def dying_at(life: int, die: Callable[[], None]) -> Iterator[list[int]]:
    """Write the state at every second opportunity, starting with the first; at opportunity `life`, if reached, `die`.

    Yields:
        A list of one number: the opportunities so far.
    """
    opportunities = [0]
    due = Checkpoint.due

    def counted(checkpoint: Checkpoint) -> bool:
        opportunities[0] += 1
        checkpoint._next = 0.0
        if opportunities[0] == life and processes.rank() == 0:
            die()
        return due(checkpoint) and opportunities[0] % 2 == 1

    with mock.patch.object(Checkpoint, "due", counted):
        yield opportunities


def run(training: str, models: Path, folder: Path, code: str = "code", **changes: Any) -> dict[str, bytes]:
    """Train with the checkpoint in <folder>/work and return the artifacts by name."""
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
        record = train(ranker, question_set(10), question_set(6), 2, checkpoint)
        out.mkdir(exist_ok=True)
        save_ranker(ranker, out)
        np.save(out / "scores.npy", score(ranker, question_set(11).questions, "test"))
        (out / "training.json").write_text(json.dumps(record))
    return artifacts(folder, processes.rank())


def artifacts(folder: Path, rank: int = 0) -> dict[str, bytes]:
    """Artifacts written by process `rank`, by name."""
    out = folder / f"artifacts-{rank}"
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def process(training: str, models: Path, folder: Path, rank: int, count: int, life: int) -> None:
    """Process `rank` of `count`; rank 0 dies by SIGKILL at checkpoint opportunity `life`."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet-{life}", rank=rank, world_size=count)
    with dying_at(life, lambda: os.kill(os.getpid(), signal.SIGKILL)) as opportunities:
        run(training, models, folder)
    (folder / "opportunities").write_text(str(opportunities[0]))
    distributed.destroy_process_group()
