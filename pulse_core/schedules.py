"""Learning rates over the steps of a training run, and the end of one that has diverged."""

import math

from pulse_core.errors import InputError


def warmup_cosine(step: int, total: int, warmup_share: float) -> float:
    """The factor on the peak rate at 0-based `step` of `total`: linear from 1/warm-up to 1, then half a cosine to 0."""
    warmup = round(warmup_share * total)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def finite(loss: float, what: str, key: str) -> float:
    """`loss` itself.

    Raises:
        InputError: it is no finite number; names the configuration's `key` that sets the learning rate.
    """
    if not math.isfinite(loss):
        raise InputError(f"{what} has diverged (its loss is {loss}): lower {key}")
    return loss
