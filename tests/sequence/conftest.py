"""A corpus with planted sequential signal, and settings that learn it quickly."""

import pytest

from pulse_core.sequence.settings import SASRecSettings
from tests.planted_cycle import examples, interactions, user_ids

__all__ = ["examples", "interactions", "user_ids"]


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
