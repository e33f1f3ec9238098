"""The leak audit: what selection would gain from the literal Eq. (2), b_u = (s_u, i_{t+1}), which shows the target."""

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import compare_hits, estimates
from pulse_core.evaluation.predictions import aligned_ranks
from pulse_core.evaluation.schema import LeakAudit, OracleGap
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.keys import KEY
from pulse_core.rank_metrics import hit_at_1
from pulse_core.seeding import derive_seed


def leak_audit(
    history: pd.DataFrame,
    oracle: pd.DataFrame,
    history_predictions: pd.DataFrame,
    oracle_predictions: pd.DataFrame,
    examples: pd.DataFrame,
    candidates: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
) -> LeakAudit:
    """Compare selection by history alone with selection that saw the target, on the test examples.

    Args:
        history, oracle: selected rationales (user, split, position, node, ...) with each behaviour text.
        history_predictions, oracle_predictions: the ranker's predictions with those rationales.
        examples, candidates: HR@1 is measured on the sampled test examples.

    Raises:
        InputError: the two have different test examples, or the predictions are for other users or candidates.
    """
    by_history, by_oracle = (
        frame[frame["split"] == "test"].set_index(KEY)["node"].sort_index() for frame in (history, oracle)
    )
    if not by_history.index.equals(by_oracle.index) or by_history.empty:
        raise InputError(
            f"leak audit: selection by history has {len(by_history)} test examples and by oracle "
            f"{len(by_oracle)}; they should be the same, at least one"
        )
    sampled = examples[examples["sampled"].astype(bool)]
    history_hits, oracle_hits = (
        hit_at_1(aligned_ranks(predictions, sampled, candidates, "test", name).to_numpy())
        for predictions, name in ((history_predictions, "pulse"), (oracle_predictions, "oracle"))
    )
    bootstrap_seed = derive_seed(seed, "leak_audit")
    gap, oracle_only, history_only = compare_hits(oracle_hits, history_hits, settings, bootstrap_seed)
    return LeakAudit(
        examples=len(by_history),
        changed_selections=float((by_history != by_oracle).mean()),
        hr1_history=estimates(history_hits[:, None], settings, bootstrap_seed)[0],
        hr1_oracle=estimates(oracle_hits[:, None], settings, bootstrap_seed)[0],
        gap=OracleGap(**dict(gap), oracle_only=oracle_only, history_only=history_only),
    )
