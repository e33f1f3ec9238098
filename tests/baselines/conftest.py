"""A domain with planted sequential signal, shared by the tests of all systems."""

import pandas as pd
import pytest

from pulse_core.baselines.domain import Domain, make_domain
from pulse_core.sequence.candidates import run_candidates
from pulse_core.sequence.settings import CandidateSettings
from tests.planted_cycle import ITEMS, examples, interactions, user_ids

__all__ = ["examples", "interactions", "user_ids"]


@pytest.fixture(scope="session")
def titles() -> list[str]:
    """A distinct title per item, in code order."""
    return [f"Thing number {item}" for item in range(ITEMS)]


@pytest.fixture(scope="session")
def domain(interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], titles: list[str]) -> Domain:
    """The planted cycle with its examples and ten candidates per example."""
    candidates = run_candidates(interactions, examples, user_ids, titles, CandidateSettings(), 3)
    return make_domain(interactions, examples, candidates.to_pandas(), ITEMS)
