"""A corpus with planted sequential signal: items come in cycles, so that the next item follows from the last."""

import numpy as np
import pandas as pd
import pytest

from pulse_core.data.examples import make_examples
from pulse_core.data.settings import SplitSettings
from pulse_core.sequence.settings import SASRecSettings

ITEMS, USERS = 60, 80


@pytest.fixture(scope="session")
def user_ids() -> list[str]:
    return [f"U{user:04d}" for user in range(USERS)]


@pytest.fixture(scope="session")
def interactions() -> pd.DataFrame:
    """User u walks round the catalogue from its own start; item ITEMS - 1 is never bought."""
    generator = np.random.default_rng(5)
    rows = []
    for user in range(USERS):
        start, length = int(generator.integers(ITEMS - 1)), int(generator.integers(5, 12))
        rows += [(user, (start + step) % (ITEMS - 1)) for step in range(length)]
    frame = pd.DataFrame(rows, columns=["user", "item"]).astype("int32")
    return frame.assign(rating=np.float32(5), timestamp=np.arange(len(rows)), row=np.arange(len(rows)))


@pytest.fixture(scope="session")
def examples(interactions: pd.DataFrame, user_ids: list[str]) -> pd.DataFrame:
    return make_examples(interactions, SplitSettings(), 3, user_ids)


@pytest.fixture(scope="session")
def small() -> SASRecSettings:
    return SASRecSettings(
        dimension=16,
        dropout=0.1,
        max_length=8,
        learning_rate=1e-2,
        batch_size=16,
        epochs=8,
        evaluate_every=4,
        patience=2,
        cross_fit_folds=2,
    )
