"""Predictions aligned with the examples and candidates that every system ranks."""

import numpy as np
import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.metrics import target_ranks
from pulse_core.evaluation.tables import PREDICTION_SCHEMA


def one_row_a_user(frame: pd.DataFrame, split: str, file: str) -> pd.DataFrame:
    """Rows of `split`, indexed and sorted by user; InputError if a user has more than one."""
    rows = frame[frame["split"] == split].sort_values("user").set_index("user")
    repeated = rows.index[rows.index.duplicated()]
    if len(repeated):
        raise InputError(f"{file}: user {repeated[0]} has more than one {split} row, so its rank is ambiguous")
    return rows


def rectangle(lists: pd.Series, what: str, file: str) -> np.ndarray:
    """A column of equally long lists as an array (users, length); InputError names the first user that differs."""
    lengths = lists.map(len)
    if len(lengths) and lengths.nunique() > 1:
        usual = int(lengths.mode().iloc[0])
        user = lengths.index[lengths != usual][0]
        raise InputError(f"{file}: user {user} has {lengths[user]} {what} where others have {usual}")
    return np.array(lists.tolist())


def aligned_ranks(
    predictions: pd.DataFrame, examples: pd.DataFrame, candidates: pd.DataFrame, split: str, file: str
) -> pd.Series:
    """Rank of the target for each user with an example (user, split, target, ...) in `split`, in the order of users.

    Predictions are in the common schema, in `file`; the order of candidates within a set does not matter.

    Raises:
        InputError: a user has no prediction, or its candidates are not those of `candidates`.
    """
    if absent := [column for column in PREDICTION_SCHEMA.names if column not in predictions.columns]:
        raise InputError(f"{file}: columns {absent} are missing; it has {list(predictions.columns)}")
    wanted = one_row_a_user(examples, split, "examples")
    predicted = one_row_a_user(predictions, split, file)
    official = one_row_a_user(candidates, split, "candidates")
    for index, source in ((predicted.index, file), (official.index, "candidates")):
        missing = wanted.index.difference(index)
        if len(missing):
            raise InputError(
                f"{source}: {len(missing)} of the {len(wanted)} {split} users have no row, the first is user "
                f"{missing[0]}; every system ranks the same users, so make this file again"
            )
    predicted = predicted.loc[wanted.index]
    predicted_sets = rectangle(predicted["candidates"], "candidates", file)
    official_sets = rectangle(official.loc[wanted.index, "candidates"], "candidates", "candidates")
    scores = rectangle(predicted["scores"], "scores", file)
    differs = np.ones(len(wanted), dtype=bool)
    if predicted_sets.shape == official_sets.shape:
        differs = (np.sort(predicted_sets, axis=1) != np.sort(official_sets, axis=1)).any(axis=1)
    if differs.any():
        raise InputError(
            f"{file}: the {split} candidates of user {wanted.index[differs][0]} ({differs.sum()} users in all) are not "
            "those of the candidates table; every system ranks the same sets, so make this file again"
        )
    try:
        ranks = target_ranks(predicted_sets, scores, wanted["target"].to_numpy())
    except InputError as error:
        raise InputError(f"{file}, split {split} (rows are users in sorted order): {error}") from error
    return pd.Series(ranks, index=wanted.index, name="rank")
