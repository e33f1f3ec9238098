"""The leak audit: what selection would gain from the literal Eq. (2), b_u = (s_u, i_{t+1}), which shows the target."""

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import compare_hits, estimates
from pulse_core.evaluation.metrics import hit_at_1
from pulse_core.evaluation.predictions import aligned_ranks, require_columns
from pulse_core.evaluation.schema import LeakAudit, OracleGap
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.keys import KEY
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
    selected_nodes = []
    for frame, name in ((history, "selection by history"), (oracle, "selection by oracle")):
        require_columns(frame, [*KEY, "node"], name)
        selected_nodes.append(frame[frame["split"] == "test"].set_index(KEY)["node"].sort_index())
    if not selected_nodes[0].index.equals(selected_nodes[1].index) or selected_nodes[0].empty:
        raise InputError(
            f"leak audit: selection by history has {len(selected_nodes[0])} test examples and by oracle "
            f"{len(selected_nodes[1])}; they should be the same, at least one"
        )
    sampled = examples[examples["sampled"].astype(bool)]
    by_history, by_oracle = (
        hit_at_1(aligned_ranks(predictions, sampled, candidates, "test", name).to_numpy())
        for predictions, name in ((history_predictions, "pulse"), (oracle_predictions, "oracle"))
    )
    bootstrap_seed = derive_seed(seed, "leak_audit")
    gap, oracle_only, history_only = compare_hits(by_oracle, by_history, settings, bootstrap_seed)
    return LeakAudit(
        examples=len(selected_nodes[0]),
        changed_selections=float((selected_nodes[0].to_numpy() != selected_nodes[1].to_numpy()).mean()),
        hr1_history=estimates(by_history[:, None], settings, bootstrap_seed)[0],
        hr1_oracle=estimates(by_oracle[:, None], settings, bootstrap_seed)[0],
        gap=OracleGap(**gap.model_dump(), oracle_only=oracle_only, history_only=history_only),
    )
