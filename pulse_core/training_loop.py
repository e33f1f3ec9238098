"""The training loop of every model: validate on a schedule, keep the best weights, stop early, resume after a kill.

The caller supplies the batches of an epoch, the step and the validation. A killed training resumes from its checkpoint
and ends with the same bytes if random draws are seeded by epoch or step, or come from a generator passed to `fit`.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
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

METRIC = "ndcg10"  # default validation figure
Figures = dict[str, Any]
Batch = TypeVar("Batch")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Schedule:
    """When to validate and when to stop. The last epoch is always validated."""

    epochs: int  # maximum
    evaluate_every: int = 1  # epochs between validations
    patience: int | None = None  # stop after this many validations in a row without improvement; None: never
    first_validation: int = 1  # no validation before this epoch; with 0 the untrained weights are validated, too

    def validates(self, epoch: int) -> bool:
        """Whether this epoch is followed by a validation."""
        return epoch == self.epochs or (epoch >= self.first_validation and epoch % self.evaluate_every == 0)


@dataclass
class Training:
    """Progress of a training: saved in checkpoints and returned by `fit`."""

    best_epoch: int = 0
    epochs_run: int = 0
    steps: int = 0
    epoch_steps: int = 0  # in the current epoch
    units: int = 0  # progress in the caller's units
    batch_losses: list[float] = field(default_factory=list)  # of the current epoch
    epoch_losses: list[float] = field(default_factory=list)  # mean of each epoch
    curve: list[Figures] = field(default_factory=list)  # epoch, mean loss (not of epoch 0) and figures per validation
    seconds: float = 0.0  # with validation
    step_seconds: float = 0.0

    @property
    def epoch_seconds(self) -> float:
        """Mean seconds per epoch, validation excluded."""
        return self.step_seconds / max(self.epochs_run, 1)

    def record(self) -> dict[str, Any]:
        """Contents for artifacts, without times, which differ between runs."""
        return {"best_epoch": self.best_epoch, "epochs_run": self.epochs_run, "curve": self.curve}

    def finished(self, schedule: Schedule) -> bool:
        """Whether all epochs are done or patience has run out."""
        unimproved = sum(figures["epoch"] > self.best_epoch for figures in self.curve)
        return self.epochs_run >= schedule.epochs or (schedule.patience is not None and unimproved >= schedule.patience)


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the trainable parameters, by name."""
    return {name: value.detach().clone() for name, value in _trained(module).items()}


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

    Processes that train together all call this with the same arguments, and get the same numbers from `step` and
    `validate`.

    Args:
        label: names the training in progress lines.
        batches: the batches of an epoch, numbered from 1.
        step: takes one optimiser step, given the number of earlier steps and a batch; returns the loss or losses.
        validate: figures on validation data; None: run all epochs and keep the last weights.
        merit: the best validation has the highest; ties go to the earliest.
        rate: factor on the learning rates at this step, numbered from 0.
        total, unit, size: what progress lines count: `size(batch)` units per batch out of `total` (default: epochs).
        generator: drawn from by `step` across epochs; checkpoints then include its state and torch's.
        checkpoint: resumed from and written to; a finished training is not repeated.
        determined_by: everything the training depends on besides the schedule and the checkpoint's code and model.
    """
    checkpoint = checkpoint or Checkpoint()
    state, best = Training(), dict[str, Tensor]()
    peak_rates = [group["lr"] for group in optimiser.param_groups]
    if checkpoint.directory and (saved := checkpoint.resume(asdict(schedule), *determined_by)):
        state, best = Training(**saved.numbers["training"]), saved.tensors.get("best", {})
        module.load_state_dict(saved.tensors["weights"], strict=False)
        restore_optimiser(optimiser, saved.tensors.get("optimiser", {}))
        if generator is not None:
            generator.bit_generator.state = saved.numbers["generator"]
            torch.set_rng_state(saved.tensors["torch"]["generator"])
    training_start = time.monotonic() - state.seconds

    def save() -> None:
        state.seconds = time.monotonic() - training_start
        numbers: dict[str, Any] = {"training": asdict(state)}
        draws = {}
        if generator is not None:
            numbers["generator"] = generator.bit_generator.state
            draws["torch"] = {"generator": torch.get_rng_state()}
        optimised = optimiser_tensors(optimiser)
        checkpoint.write(numbers, weights=_trained(module), best=best, optimiser=optimised, **draws)

    def evaluate() -> None:
        nonlocal best
        if validate is None:
            state.best_epoch = state.epochs_run
        elif schedule.validates(state.epochs_run):
            module.eval()
            best_merit = max(map(merit, state.curve), default=None)
            figures = validate()
            loss = {"loss": state.epoch_losses[-1]} if state.epoch_losses else {}
            state.curve.append({"epoch": state.epochs_run, **loss, **figures})
            if best_merit is None or merit(figures) > best_merit:
                best, state.best_epoch = trained_state(module), state.epochs_run
        if checkpoint.due():
            save()

    with progress(label, total or schedule.epochs, unit) as meter:
        meter.advance(state.units, skipped=True)
        if not state.curve and schedule.validates(0):
            evaluate()
        while not state.finished(schedule):
            remaining = batches(state.epochs_run + 1)[state.epoch_steps :]
            module.train()
            for batch in remaining:
                for group, peak in zip(optimiser.param_groups, peak_rates, strict=True):
                    group["lr"] = peak * rate(state.steps)
                step_start = time.perf_counter()
                state.batch_losses += step(state.steps, batch)
                state.step_seconds += time.perf_counter() - step_start
                state.steps += 1
                state.epoch_steps += 1
                state.units += size(batch)
                meter.advance(size(batch), f"loss {np.mean(state.batch_losses):.3f}")
                if checkpoint.due():
                    save()
            state.epoch_losses.append(float(np.mean(state.batch_losses)))
            state.epochs_run, state.epoch_steps, state.batch_losses = state.epochs_run + 1, 0, []
            evaluate()
    if checkpoint.directory and processes.rank() == 0:
        save()
    state.seconds = time.monotonic() - training_start
    if best:
        module.load_state_dict(best, strict=False)
    module.eval()
    return state


def fit_epochs(
    label: str,
    module: nn.Module,
    optimiser: Optimizer,
    epoch: Callable[[int, np.random.Generator], Sequence[float]],
    validate: Callable[[], Figures] | None,
    schedule: Schedule,
    seed: int,
    device: torch.device = CPU,
    checkpoint: Checkpoint | None = None,
    determined_by: Sequence[object] = (),
) -> Training:
    """`fit` with one step per epoch: `epoch` gets its number and a generator seeded for it, as dropout is, and returns
    its losses."""

    def step(_: int, number: int) -> Sequence[float]:
        epoch_seed = derive_seed(seed, "epoch", number)
        with processes.seeded_dropout(epoch_seed, device):
            return epoch(number, np.random.default_rng(epoch_seed))

    return fit(
        *(label, module, optimiser, lambda number: [number], step, validate, schedule),
        checkpoint=checkpoint,
        determined_by=(seed, *determined_by),
    )


def descend(optimiser: Optimizer, losses: Iterable[Tensor], label: str, key: str = "learning_rate") -> list[float]:
    """Take an optimiser step per loss before computing the next; returns the losses, which must be `finite`."""
    values = []
    for loss in losses:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        values.append(finite(loss.item(), label, key))
    return values


def finite(loss: float, label: str, key: str) -> float:
    """`loss` itself; if it is not finite, InputError that names `key`, the setting of the learning rate."""
    if not math.isfinite(loss):
        raise InputError(f"{label} has diverged (loss {loss}): lower {key}")
    return loss


def warmup_cosine(step: int, total: int, warmup_share: float) -> float:
    """Factor on the peak rate at `step` (from 0) of `total`: linear from 1 / warm-up to 1, then half a cosine to 0."""
    warmup = round(warmup_share * total)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
