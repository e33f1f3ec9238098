"""Several processes that train one model together: who does which part, and how the parts become one again.

Every process runs the same program over the same data with the same seeds; only the costly passes through a model are
divided. What comes out is the training of one process, not an approximation of it: sums are over the same batches, and
decisions are taken from numbers that are the same bits everywhere. In one process (nothing has called
`torch.distributed.init_process_group`) every function here hands back what it was given.

Tensors travel on their own device (NCCL between GPUs, gloo on the CPU), arrays and objects through the CPU (gloo).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn

from pulse_core.seeding import derive_seed

T = TypeVar("T")


def count() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def owner(number: int) -> int:
    """The process that does the `number`th of a list of independent pieces of work."""
    return number % count()


def share(pieces: Sequence[T]) -> list[T]:
    """Those of independent pieces of work that this process does."""
    return [piece for number, piece in enumerate(pieces) if owner(number) == rank()]


def row_slice(size: int) -> slice:
    """This process's rows of a batch of `size`: contiguous, as even as can be, in the order of the processes."""
    return slice(rank() * size // count(), (rank() + 1) * size // count())


def total(array: np.ndarray) -> np.ndarray:
    """The sum of every process's `array`: of partial sums, or of arrays each filled where its process did the work."""
    if count() == 1:
        return array
    summed = torch.from_numpy(array.copy())
    distributed.all_reduce(summed)
    return summed.numpy()


def from_owner(value: T, number: int) -> T:
    """The `value` that the process `number` holds."""
    if count() == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=number)
    return held[0]


def meet() -> None:
    """Wait until every process has come here."""
    total(np.zeros(1))


def whole_batch(mine: Tensor, size: int) -> Tensor:
    """A batch's rows, (size, d), of which this process computed `row_slice(size)`, (b, d).

    Gradients flow into `mine` alone. Every process computes the loss over all rows, so what each derives for its own
    is exact, and the processes' parameter gradients are to be added up (`sum_gradients`), not averaged.
    """
    if count() == 1:
        return mine
    rows = row_slice(size)
    everyone = torch.zeros((size, *mine.shape[1:]), dtype=mine.dtype, device=mine.device)
    everyone[rows] = mine.detach()
    distributed.all_reduce(everyone)
    return torch.cat([everyone[: rows.start], mine, everyone[rows.stop :]])


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Every parameter's gradient becomes the sum of all processes' gradients.

    A gradient that no process has stays None, so that an optimiser goes on leaving that parameter alone.
    """
    if count() == 1:
        return
    device = parameters[0].device
    present = torch.tensor([float(p.grad is not None) for p in parameters], device=device)
    parts = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
    # One message: the cost of many small ones is their number.
    flat = torch.cat([present, *parts])
    distributed.all_reduce(flat)
    present, *summed = flat.split([len(parameters), *(p.numel() for p in parameters)])
    for parameter, gradient, somewhere in zip(parameters, summed, present.tolist(), strict=True):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if somewhere else None


@contextmanager
def seeded_dropout(seed: int, device: torch.device) -> Iterator[None]:
    """Lend torch's global generators, which dropout draws from, a seed of this process's own; give them back after."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(seed, "process", rank()) if rank() else seed)
        yield
