"""The training loop's schedule and progress; test_checkpoints.py tests that it resumes exactly."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pulse_core import checkpoints, progress
from pulse_core.checkpoints import Checkpoint
from pulse_core.training_loop import Figures, Schedule, Training, fit


def trained(
    scores: list[float], schedule: Schedule, checkpoint: Checkpoint | None = None, die_at: int = 0
) -> tuple[Training, float]:
    """Train a parameter that each epoch raises by one, with these validation scores; also returns its final value."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    optimiser = torch.optim.SGD(module.parameters(), lr=1.0)

    def step(number: int, epoch: int) -> list[float]:
        if epoch == die_at:
            raise KeyboardInterrupt
        optimiser.zero_grad()
        (-module.weight.sum()).backward()
        optimiser.step()
        return [float(number)]

    def validate() -> Figures:
        return {"ndcg10": scores[int(module.weight.item())]}

    done = fit("test", module, optimiser, lambda epoch: [epoch], step, validate, schedule, checkpoint=checkpoint)
    return done, module.weight.item()


def test_patience_ends_training_with_the_first_of_the_best_weights() -> None:
    done, weight = trained([0.0, 0.1, 0.5, 0.5, 0.4, 0.9], Schedule(5, patience=2))
    assert (done.best_epoch, done.epochs_run, weight) == (2, 4, 2.0)
    assert [(figures["epoch"], figures["loss"]) for figures in done.curve] == [(1, 0), (2, 1), (3, 2), (4, 3)]


@pytest.mark.parametrize(
    ("schedule", "validated"),
    [
        (Schedule(5, 2), [2, 4, 5]),
        (Schedule(5, 2, first_validation=3), [4, 5]),
        (Schedule(2, first_validation=0), [0, 1, 2]),
    ],
)
def test_it_validates_by_the_schedule_and_after_the_last_epoch(schedule: Schedule, validated: list[int]) -> None:
    done, _ = trained([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], schedule)
    assert [figures["epoch"] for figures in done.curve] == validated


def test_untrained_weights_are_restored_if_best() -> None:
    done, weight = trained([0.9, 0.2, 0.3], Schedule(2, first_validation=0))
    assert (done.best_epoch, weight) == (0, 0.0)


def test_resumed_epochs_do_not_count_in_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a resume, the time left is estimated from this run's epochs only."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    schedule, scores = Schedule(8), [0.1 * n for n in range(9)]
    with pytest.raises(KeyboardInterrupt):
        trained(scores, schedule, Checkpoint(tmp_path), die_at=7)
    meters, initialise = [], progress.Progress.__init__

    def recording(meter: progress.Progress, *arguments: object) -> None:
        meters.append(meter)
        initialise(meter, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(progress.Progress, "__init__", recording)
    done, _ = trained(scores, schedule, Checkpoint(tmp_path))
    assert done.epochs_run == 8
    assert [(meter.done, meter.skipped) for meter in meters] == [(8, 6)]
