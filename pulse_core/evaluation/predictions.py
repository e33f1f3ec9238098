"""Predictions aligned with the examples and candidates that every system ranks."""

import numpy as np
import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.metrics import Integers, target_ranks
from pulse_core.evaluation.tables import PREDICTION_SCHEMA, require_columns
from pulse_core.rank_metrics import Floats


def one_row_a_user(frame: pd.DataFrame, split: str, file: str) -> pd.DataFrame:
    """Rows of `split`, indexed and sorted by user.

    Raises:
        InputError: a user has more than one row.
    """
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
    """Rank of the target for each user with an example in `split`, by these predictions.

    Args:
        predictions: in the common schema; users without an example are ignored.
        examples: (user, split, target, ...): the users to evaluate.
        candidates: (user, split, candidates): the sets to rank, in any order within a set.
        file: of the predictions, for messages.

    Returns:
        Ranks indexed by user, sorted by user.

    Raises:
        InputError: a user has no prediction, or its candidates are not those of `candidates`.
    """
    require_columns(predictions, PREDICTION_SCHEMA.names, file)
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
    predicted, official = predicted.loc[wanted.index], official.loc[wanted.index]
    predicted_sets: Integers = rectangle(predicted["candidates"], "candidates", file)
    official_sets: Integers = rectangle(official["candidates"], "candidates", "candidates")
    scores: Floats = rectangle(predicted["scores"], "scores", file)
    same = (
        (np.sort(predicted_sets, axis=1) == np.sort(official_sets, axis=1)).all(axis=1)
        if predicted_sets.shape == official_sets.shape
        else np.zeros(len(wanted), dtype=bool)
    )
    if not same.all():
        user = wanted.index[int(np.flatnonzero(~same)[0])]
        raise InputError(
            f"{file}: the {split} candidates of user {user} ({(~same).sum()} users in all) are not those of the "
            "candidates table; every system ranks the same sets, so make this file again"
        )
    try:
        ranks = target_ranks(predicted_sets, scores, wanted["target"].to_numpy())
    except InputError as error:
        raise InputError(f"{file}, split {split} (rows are users in sorted order): {error}") from error
    return pd.Series(ranks, index=wanted.index, name="rank")


def candidate_count(candidates: pd.DataFrame) -> int:
    """The size of the candidate sets; InputError if sizes differ."""
    counts = sorted(set(candidates["candidates"].map(len)))
    if len(counts) != 1:
        raise InputError(f"candidates: all sets should have one size, they have {counts}; make the candidates again")
    return int(counts[0])
