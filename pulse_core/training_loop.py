"""The training loop of every model: validate on a schedule, keep the best weights, stop early, resume after a kill.

The loop knows nothing about the model: its caller supplies an epoch's batches, what a step does and how to validate. A
killed training resumes from its checkpoint and ends with the same bytes, provided that random draws come from seeds of
the epoch or the step, or from generators that the checkpoint keeps.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pulse_core import processes
from pulse_core.checkpoints import Checkpoint, optimiser_tensors, restore_optimiser
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.seeding import derive_seed

METRIC = "ndcg10"  # of validation figures, where a caller names no other
Figures = dict[str, Any]
Batch = TypeVar("Batch")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Schedule:
    """When to validate and when to stop. The last epoch is always validated."""

    epochs: int
    """Maximum number of epochs."""
    evaluate_every: int = 1
    """Epochs between validations."""
    patience: int | None = None
    """Stop after this many validations in a row without improvement; None: never."""
    first_validation: int = 1
    """No validation before this epoch; with 0 the untrained weights are validated, too."""

    def validates(self, epoch: int) -> bool:
        """Whether this epoch is followed by a validation."""
        return epoch == self.epochs or (epoch >= self.first_validation and epoch % self.evaluate_every == 0)


@dataclass
class Training:
    """How far a training has come: what a checkpoint keeps beside the tensors, and what `fit` returns."""

    best_epoch: int = 0
    epochs_run: int = 0
    steps: int = 0
    epoch_steps: int = 0
    """Steps of the epoch under way."""
    units: int = 0
    """Progress, in the units that the caller counts."""
    batch_losses: list[float] = field(default_factory=list)
    """Of the epoch under way."""
    epoch_losses: list[float] = field(default_factory=list)
    """Mean loss of each epoch."""
    curve: list[Figures] = field(default_factory=list)
    """Epoch, mean loss (not before training) and figures of each validation."""
    seconds: float = 0.0
    """Of the whole training."""
    step_seconds: float = 0.0
    """Of its steps alone."""

    @property
    def epoch_seconds(self) -> float:
        """Mean seconds per epoch, validation excluded."""
        return self.step_seconds / max(self.epochs_run, 1)

    def record(self) -> dict[str, Any]:
        """What artifacts say about a training. Times are left out: they differ from run to run."""
        return {"best_epoch": self.best_epoch, "epochs_run": self.epochs_run, "curve": self.curve}

    def finished(self, schedule: Schedule) -> bool:
        """Whether all epochs are done or patience has run out."""
        waited = sum(figures["epoch"] > self.best_epoch for figures in self.curve)
        return self.epochs_run >= schedule.epochs or (schedule.patience is not None and waited >= schedule.patience)


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that training changes, by name."""
    return {name: value.detach().clone() for name, value in _trained(module).items()}


def load_trained_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Restore the parameters of a `trained_state`."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def fit(
    label: str,
    module: nn.Module,
    optimiser: Optimizer,
    batches: Callable[[int], Sequence[Batch]],
    step: Callable[[int, Batch], Sequence[float]],
    validate: Callable[[], Figures] | None,
    schedule: Schedule,
    *,
    merit: Callable[[Figures], Any] = lambda figures: figures[METRIC],
    rate: Callable[[int], float] = lambda step: 1.0,
    total: int | None = None,
    unit: str = "epochs",
    size: Callable[[Batch], int] = lambda batch: 1,
    generator: np.random.Generator | None = None,
    checkpoint: Checkpoint | None = None,
    determined_by: Sequence[object] = (),
) -> Training:
    """Train until the schedule ends; `module` is left with the weights of its best validation, in evaluation mode.

    Processes that train together (`pulse_core.processes`) all call this with the same arguments, and `step` and
    `validate` return the same numbers in all of them.

    Args:
        label: names the training in progress lines.
        batches: the batches of an epoch, numbered from 1.
        step: takes one optimiser step on a batch; gets the number of steps before it; returns the batch's loss or
            losses.
        validate: figures on validation data; None: run all epochs and keep the last weights.
        merit: what the best validation has most of; the earliest of equals wins.
        rate: factor on the learning rates of the step with this number (from 0).
        total, unit, size: what progress lines count: `size(batch)` units per batch out of `total` (default: epochs).
        generator: a generator that `step` draws from across epochs. Its state and torch's are then kept, too.
        checkpoint: where the state is kept; a training that is finished there is not repeated.
        determined_by: what the training depends on, beside the schedule and the checkpoint's code and model.
    """
    checkpoint = checkpoint or Checkpoint()
    done, best = Training(), dict[str, Tensor]()
    peaks = [group["lr"] for group in optimiser.param_groups]
    if checkpoint.directory and (saved := checkpoint.resume(asdict(schedule), *determined_by)):
        done, best = Training(**saved.numbers["training"]), saved.tensors.get("best", {})
        load_trained_state(module, saved.tensors["weights"])
        restore_optimiser(optimiser, saved.tensors.get("optimiser", {}))
        if generator is not None:
            generator.bit_generator.state = saved.numbers["generator"]
            torch.set_rng_state(saved.tensors["torch"]["generator"])
    began = time.monotonic() - done.seconds

    def save() -> None:
        done.seconds = time.monotonic() - began
        numbers: dict[str, Any] = {"training": asdict(done)}
        groups: dict[str, Mapping[str, Tensor]] = {"weights": _trained(module), "best": best}
        groups["optimiser"] = optimiser_tensors(optimiser)
        if generator is not None:
            numbers["generator"] = generator.bit_generator.state
            groups["torch"] = {"generator": torch.get_rng_state()}
        checkpoint.write(numbers, **groups)

    def evaluate() -> None:
        nonlocal best
        if validate is None:
            done.best_epoch = done.epochs_run
        elif schedule.validates(done.epochs_run):
            module.eval()
            reached = max(map(merit, done.curve), default=None)
            figures = validate()
            loss = {"loss": done.epoch_losses[-1]} if done.epoch_losses else {}
            done.curve.append({"epoch": done.epochs_run, **loss, **figures})
            if reached is None or merit(figures) > reached:
                best, done.best_epoch = trained_state(module), done.epochs_run
        if checkpoint.due():
            save()

    with progress(label, total or schedule.epochs, unit) as meter:
        meter.advance(done.units, skipped=True)
        if not done.curve and schedule.validates(0):
            evaluate()
        while not done.finished(schedule):
            remaining = batches(done.epochs_run + 1)[done.epoch_steps :]
            module.train()
            for batch in remaining:
                for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                    group["lr"] = peak * rate(done.steps)
                started = time.perf_counter()
                done.batch_losses += step(done.steps, batch)
                done.step_seconds += time.perf_counter() - started
                done.steps += 1
                done.epoch_steps += 1
                done.units += size(batch)
                meter.advance(size(batch), f"loss {np.mean(done.batch_losses):.3f}")
                if checkpoint.due():
                    save()
            done.epoch_losses.append(float(np.mean(done.batch_losses)))
            done.epochs_run, done.epoch_steps, done.batch_losses = done.epochs_run + 1, 0, []
            evaluate()
    if checkpoint.directory and processes.rank() == 0:
        save()
    done.seconds = time.monotonic() - began
    if best:
        load_trained_state(module, best)
    module.eval()
    return done


def fit_epochs(
    label: str,
    module: nn.Module,
    optimiser: Optimizer,
    epoch: Callable[[int, np.random.Generator], float],
    validate: Callable[[], Figures] | None,
    schedule: Schedule,
    seed: int,
    device: torch.device = CPU,
    checkpoint: Checkpoint | None = None,
    determined_by: Sequence[object] = (),
) -> Training:
    """`fit` with whole epochs for steps: `epoch` gets its number and a generator seeded for it; returns its mean loss.

    Dropout draws from the epoch's seed as well.
    """

    def step(steps: int, number: int) -> list[float]:
        with epoch_draws(seed, number, device) as generator:
            return [epoch(number, generator)]

    return fit(
        label,
        module,
        optimiser,
        lambda number: [number],
        step,
        validate,
        schedule,
        checkpoint=checkpoint,
        determined_by=(seed, *determined_by),
    )


@contextmanager
def epoch_draws(seed: int, epoch: int, device: torch.device = CPU) -> Iterator[np.random.Generator]:
    """A generator seeded for this epoch; torch's global generators are seeded likewise inside the block."""
    epoch_seed = derive_seed(seed, "epoch", epoch)
    with processes.seeded_dropout(epoch_seed, device):
        yield np.random.default_rng(epoch_seed)


def descend(optimiser: Optimizer, losses: Iterable[Tensor], label: str, key: str = "learning_rate") -> list[float]:
    """Take an optimiser step on each loss, computing the next loss after it; the losses' values.

    Raises:
        InputError: as `finite`.
    """
    values = []
    for loss in losses:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        values.append(finite(loss.item(), label, key))
    return values


def finite(loss: float, label: str, key: str) -> float:
    """`loss` itself.

    Raises:
        InputError: the loss is not finite; names the configuration's `key` that sets the learning rate.
    """
    if not math.isfinite(loss):
        raise InputError(f"{label} has diverged (its loss is {loss}): lower {key}")
    return loss


def warmup_cosine(step: int, total: int, warmup_share: float) -> float:
    """Factor on the peak rate at `step` (from 0) of `total`: linear from 1 / warm-up to 1, then half a cosine to 0."""
    warmup = round(warmup_share * total)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
