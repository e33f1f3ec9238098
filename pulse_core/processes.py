"""Data-parallel training in several processes: dividing the work and combining the results.

Every process runs the same program on the same data with the same seeds; only forward and backward passes are divided.
The result equals that of one process up to rounding: sums run over the same batches, and decisions use numbers that are
identical in all processes. Without `torch.distributed.init_process_group` there is one process, and every function here
returns its input.

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
    """Number of processes that train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def share(pieces: Sequence[T]) -> list[T]:
    """The pieces of independent work that this process does."""
    return list(pieces[rank() :: count()])


def row_slice(size: int) -> slice:
    """This process's rows of a batch of `size`: contiguous, evenly divided, in order of rank."""
    return slice(rank() * size // count(), (rank() + 1) * size // count())


def total(array: np.ndarray) -> np.ndarray:
    """Sum of `array` over all processes."""
    if count() == 1:
        return array
    summed = torch.from_numpy(array.copy())
    distributed.all_reduce(summed)
    return summed.numpy()


def from_first(value: T) -> T:
    """The `value` of the first process."""
    values = [value]
    if count() > 1:
        distributed.broadcast_object_list(values)
    return values[0]


def meet() -> None:
    """Wait for all processes (barrier)."""
    total(np.zeros(1))


def whole_batch(mine: Tensor, size: int) -> Tensor:
    """A batch's rows, (size, d), of which this process computed `row_slice(size)`, (b, d).

    Gradients flow into `mine` alone and are exact, because every process computes the loss over all rows: sum them over
    the processes (`sum_gradients`), don't average.
    """
    if count() == 1:
        return mine
    rows = row_slice(size)
    everyone = torch.zeros((size, *mine.shape[1:]), dtype=mine.dtype, device=mine.device)
    everyone[rows] = mine.detach()
    distributed.all_reduce(everyone)
    return torch.cat([everyone[: rows.start], mine, everyone[rows.stop :]])


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every parameter's gradient by its sum over all processes; one that no process has stays None, so that the
    optimiser skips that parameter."""
    if count() == 1:
        return
    device = parameters[0].device
    present = torch.tensor([float(p.grad is not None) for p in parameters], device=device)
    parts = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
    flat = torch.cat([present, *parts])  # one message: many small ones cost more
    distributed.all_reduce(flat)
    present, *summed = flat.split([len(parameters), *(p.numel() for p in parameters)])
    for parameter, gradient, somewhere in zip(parameters, summed, present.tolist(), strict=True):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if somewhere else None


@contextmanager
def seeded_dropout(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, per process; restore them afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(seed, "process", rank()) if rank() else seed)
        yield
