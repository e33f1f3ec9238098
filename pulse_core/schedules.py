"""Learning rates over the steps of a training run."""

import math


def warmup_cosine(step: int, total: int, warmup_share: float) -> float:
    """The factor on the peak rate at 0-based `step` of `total`: linear from 1/warm-up to 1, then half a cosine to 0."""
    warmup = round(warmup_share * total)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
