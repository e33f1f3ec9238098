"""Fixtures of a corpus with planted sequential signal: items are bought in a cycle, so the last item predicts the next.

Popularity does not: all items of the cycle are bought about equally often. A conftest imports the fixtures.
"""

import numpy as np
import pandas as pd
import pytest

from pulse_core.data.examples import make_examples
from pulse_core.data.settings import SplitSettings

ITEMS, USERS = 60, 80


def made_user_ids() -> list[str]:
    return [f"U{user:04d}" for user in range(USERS)]


def made_interactions() -> pd.DataFrame:
    """Users walk round the catalogue from random starts; item ITEMS - 1 is never bought."""
    generator = np.random.default_rng(5)
    rows = []
    for user in range(USERS):
        start, length = int(generator.integers(ITEMS - 1)), int(generator.integers(5, 12))
        rows += [(user, (start + step) % (ITEMS - 1)) for step in range(length)]
    frame = pd.DataFrame(rows, columns=["user", "item"]).astype("int32")
    return frame.assign(rating=np.float32(5), timestamp=np.arange(len(rows)), row=np.arange(len(rows)))


def made_examples() -> pd.DataFrame:
    return make_examples(made_interactions(), SplitSettings(), 3, made_user_ids())


@pytest.fixture(scope="session")
def user_ids() -> list[str]:
    return made_user_ids()


@pytest.fixture(scope="session")
def interactions() -> pd.DataFrame:
    return made_interactions()


@pytest.fixture(scope="session")
def examples() -> pd.DataFrame:
    return made_examples()
