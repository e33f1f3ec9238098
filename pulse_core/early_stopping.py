"""The training loop of the sequence model and the baselines: look at validation, keep the best, stop in time.

The loop knows nothing of the model: it is given what an epoch does and what a look finds. With a checkpoint a killed
training goes on and ends with the same bytes, if each epoch draws from a seed of its own (`epoch` gets its number).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pulse_core.checkpoints import Checkpoint, optimiser_tensors, restore_optimiser

METRIC = "ndcg10"  # the figure of a look that has to rise
Figures = dict[str, float]
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class Schedule:
    """At most `epochs`, a look at every `evaluate_every`-th and at the last, `patience` looks without a better one."""

    epochs: int
    evaluate_every: int
    patience: int
    first_look: int = 1
    """No look before this epoch, so that the training neither stops before it nor keeps what was before it."""

    def looks(self, number: int) -> bool:
        """Whether there is a look after the epoch of this number."""
        return number == self.epochs or (number >= self.first_look and number % self.evaluate_every == 0)


@dataclass
class Fit:
    """How a training went: the epoch kept, epochs run, seconds an epoch, the figures of each look."""

    best_epoch: int = 0
    epochs_run: int = 0
    epoch_seconds: float = 0.0
    curve: list[Figures] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """What an artifact says of it: all but the seconds, which differ from run to run."""
        return {"best_epoch": self.best_epoch, "epochs_run": self.epochs_run, "curve": self.curve}


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that training changes, by name."""
    return {name: value.detach().clone() for name, value in module.named_parameters() if value.requires_grad}


def load_trained_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put a `trained_state` back."""
    own = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def fit(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    epoch: Callable[[int], float],
    look: Callable[[], Figures] | None,
    schedule: Schedule,
    advance: Advance | None = None,
    checkpoint: Checkpoint | None = None,
    determined_by: tuple[object, ...] = (),
) -> Fit:
    """Run epochs 1, 2, ... until the schedule says stop; `module` ends with the weights of its best look.

    Args:
        epoch: trains for the epoch of that number and returns its mean loss.
        look: figures on validation, or None to run exactly `schedule.epochs` and keep the last weights.
        advance: called with (epochs done, a note) after every epoch.
        checkpoint: where the state is kept; a training that was finished there is not done again.
        determined_by: all that the training depends on beside the checkpoint's own code and model.
    """
    checkpoint = checkpoint or Checkpoint()
    found, best, waited = Fit(), {}, 0
    if checkpoint.directory and (state := checkpoint.resume(asdict(schedule), *determined_by)):
        found, waited = Fit(**state.numbers["fit"]), state.numbers["waited"]
        best = state.tensors.get("best", {})
        load_trained_state(module, state.tensors["weights"])
        restore_optimiser(optimiser, state.tensors.get("optimiser", {}))
        if advance:
            advance(found.epochs_run, "as kept")

    def keep() -> None:
        numbers = {"fit": asdict(found), "waited": waited}
        checkpoint.write(numbers, weights=trained_state(module), best=best, optimiser=optimiser_tensors(optimiser))

    while found.epochs_run < schedule.epochs and waited < schedule.patience:
        number = found.epochs_run + 1
        started = time.perf_counter()
        loss = epoch(number)
        seconds = time.perf_counter() - started
        found.epoch_seconds += (seconds - found.epoch_seconds) / number
        found.epochs_run = number
        if look is None:
            found.best_epoch = number
        elif schedule.looks(number):
            figures = look()
            earlier = max((each[METRIC] for each in found.curve), default=-1.0)
            found.curve.append({"epoch": number, "loss": loss, **figures})
            if figures[METRIC] > earlier:
                best, found.best_epoch, waited = trained_state(module), number, 0
            else:
                waited += 1
        if advance:
            reached = max((each[METRIC] for each in found.curve), default=None)
            advance(1, f"loss {loss:.3f}" + (f", best {METRIC} {reached:.4f}" if reached is not None else ""))
        if checkpoint.due():
            keep()
    if checkpoint.directory:
        keep()
    if best:
        load_trained_state(module, best)
    module.eval()
    return found
