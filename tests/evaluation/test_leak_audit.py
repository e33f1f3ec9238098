"""The oracle's gap by hand."""

import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.leak_audit import leak_audit
from pulse_core.evaluation.settings import EvaluationSettings
from tests.evaluation.evaluated_shop import candidates, examples, predictions

SETTINGS = EvaluationSettings(bootstrap_samples=500)
HISTORY = pd.DataFrame({"user": range(4), "split": ["test"] * 3 + ["train"], "position": 3, "node": [1, 2, 3, 4]})


def test_changed_selections_alone() -> None:
    oracle = HISTORY.assign(node=[1, 5, 3, 9]).iloc[::-1]  # training rows don't count
    found = leak_audit(HISTORY, oracle, SETTINGS, seed=1)
    assert (found.examples, found.changed_selections, found.gap) == (3, pytest.approx(1 / 3), None)


def test_gap_in_hits() -> None:
    found = leak_audit(
        HISTORY,
        HISTORY,
        SETTINGS,
        seed=1,
        history_predictions=predictions([1, 2]),
        oracle_predictions=predictions([1]),
        examples=examples(),
        candidates=candidates(),
    )
    assert found.changed_selections == 0.0 and found.gap is not None
    assert found.hr1_history is not None and found.hr1_history.value == 0.5
    assert (found.gap.difference, found.gap.pulse_only, found.gap.other_only) == (0.5, 10, 0)


def test_other_examples_are_refused() -> None:
    with pytest.raises(InputError, match="leak audit"):
        leak_audit(HISTORY, HISTORY.iloc[1:], SETTINGS, seed=1)
