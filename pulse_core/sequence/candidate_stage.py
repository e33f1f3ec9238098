"""The candidates stage over tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.data.examples import sequences_by_user
from pulse_core.errors import InputError
from pulse_core.sequence.candidates import draw_candidates, example_seeds, title_groups
from pulse_core.sequence.keyed_table import keyed_table, list_column
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import CandidateSettings
from pulse_core.sequence.states import states


def run_candidates(
    interactions: pd.DataFrame,
    examples: pd.DataFrame,
    user_ids: Sequence[str],
    titles: Sequence[str],
    settings: CandidateSettings,
    seed: int,
    model: SASRec | None = None,
) -> pa.Table:
    """The candidates table of all examples; `model` is needed for `sasrec_hard` only.

    titles: by item code. Raises InputError if too few items are left for a user.
    """
    touched = sequences_by_user(interactions)
    users = examples["user"].to_numpy()
    seeds = example_seeds(
        seed,
        [user_ids[user] for user in users],
        examples["split"].tolist(),
        examples["position"].tolist(),
        "candidates",
    )
    ranking = None
    if settings.kind == "sasrec_hard":
        if model is None:
            raise InputError("candidates.kind = sasrec_hard needs the trained SASRec model")
        ranking = _top_items(model, examples["history"].tolist(), settings.hard_depth)
    drawn = draw_candidates(
        examples["target"].to_numpy(),
        [touched[int(user)] for user in users],
        seeds,
        title_groups(titles),
        settings.count,
        ranking,
    )
    return keyed_table(examples, {"candidates": list_column(drawn, pa.int32())})


def _top_items(model: SASRec, histories: Sequence[np.ndarray], depth: int) -> np.ndarray:
    vectors = model.item_vectors().detach().numpy()
    user_states = states(model, histories)
    parts = []
    for start in range(0, len(user_states), 2048):
        scores = user_states[start : start + 2048] @ vectors.T
        parts.append(np.argsort(-scores, axis=1, kind="stable")[:, :depth])
    return np.concatenate(parts)
