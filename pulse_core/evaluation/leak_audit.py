"""The leak audit: what selection would gain from the literal Eq. (2), b_u = (s_u, i_{t+1}), which shows the target."""

from dataclasses import replace

import pandas as pd

from pulse_core.evaluation.compare import compare_hits, estimates
from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.schema import LeakAudit, OracleGap
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.keys import KEY
from pulse_core.rank_metrics import hit_at_1
from pulse_core.seeding import derive_seed


def leak_audit(
    history: pd.DataFrame,
    oracle: pd.DataFrame,
    results: DomainResults,
    oracle_predictions: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
) -> LeakAudit:
    """Compare selection by history alone with selection that saw the target, on the sampled test examples.

    Args:
        history, oracle: selected rationales (user, split, position, node, ...) with each behaviour text.
        results, oracle_predictions: PULSE's predictions with those rationales.
    """
    by_history, by_oracle = (
        frame[frame["split"] == "test"].set_index(KEY)["node"].sort_index() for frame in (history, oracle)
    )
    both = replace(results, predictions={**results.predictions, "oracle": oracle_predictions})
    history_hits, oracle_hits = (hit_at_1(ranks) for ranks in both.ranks(["pulse", "oracle"]).values())
    bootstrap_seed = derive_seed(seed, "leak_audit")
    gap, oracle_only, history_only = compare_hits(oracle_hits, history_hits, settings, bootstrap_seed)
    return LeakAudit(
        examples=len(by_history),
        changed_selections=float((by_history != by_oracle).mean()),
        hr1_history=estimates(history_hits[:, None], settings, bootstrap_seed)[0],
        hr1_oracle=estimates(oracle_hits[:, None], settings, bootstrap_seed)[0],
        gap=OracleGap(**dict(gap), oracle_only=oracle_only, history_only=history_only),
    )
