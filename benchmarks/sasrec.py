"""Seconds per epoch of SASRec on a corpus shaped like Luxury Beauty."""

import json
import sys

import numpy as np

from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.training import train

USERS, ITEMS, EPOCHS = 2028, 936, 6


def luxury_like(seed: int) -> list[np.ndarray]:
    """Training sequences as long as Luxury Beauty's (at least 3 items, 8 on average), with skewed popularity."""
    generator = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, ITEMS + 1) ** 0.8
    lengths = np.minimum(3 + generator.geometric(1 / 6, size=USERS) - 1, 200)
    return [generator.choice(ITEMS, size=length, p=popularity / popularity.sum()) for length in lengths]


def measure_sasrec() -> dict[str, float]:
    """Train with default settings except the number of epochs, without evaluation."""
    settings = SASRecSettings(epochs=EPOCHS)
    _, training = train(luxury_like(0), None, ITEMS, settings, 0)
    return {"sasrec_epoch_seconds": training.epoch_seconds}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_sasrec()) + "\n")
