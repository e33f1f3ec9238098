"""The leak audit by hand: changed selections and the oracle's gap."""

import pandas as pd
import pytest

from pulse_core.evaluation.leak_audit import leak_audit
from pulse_core.evaluation.schema import LeakAudit
from pulse_core.evaluation.settings import EvaluationSettings
from tests.evaluation.evaluated_shop import predictions, results

SETTINGS = EvaluationSettings(bootstrap_samples=500)
HISTORY = pd.DataFrame({"user": range(4), "split": ["test"] * 3 + ["train"], "position": 3, "node": [1, 2, 3, 4]})


def audit(oracle: pd.DataFrame) -> LeakAudit:
    """PULSE ranks the target first for every second user, the oracle for all."""
    given = results(predictions={"pulse": predictions([1, 2])})
    return leak_audit(HISTORY, oracle, given, predictions([1]), SETTINGS, seed=1)


def test_changed_selections_and_gap_in_hits() -> None:
    result = audit(HISTORY.assign(node=[1, 5, 3, 9]).iloc[::-1])  # training rows don't count
    assert (result.examples, result.changed_selections) == (3, pytest.approx(1 / 3))
    assert (result.hr1_history.value, result.hr1_oracle.value) == (0.5, 1.0)
    assert (result.gap.difference, result.gap.oracle_only, result.gap.history_only) == (0.5, 10, 0)
    assert result.gap.p_value == pytest.approx(2 / 2**10)
    assert "p_holm" not in type(result.gap).model_fields  # one comparison, nothing to adjust
