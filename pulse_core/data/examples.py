"""Splits each user's sequence into training, validation and test examples (design: Splits), vectorised.

Leave-one-out: the last item is the test target, the one before it the validation target, the one before that the
training target. Global time: two dates for all users; the training target is the last item before the validation date,
the validation target the first on or after it and before the test date, the test target the first on or after the test
date. A history holds the latest `max_history` items before the target.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pulse_core.data.settings import SampleUsers, SplitSettings
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed

SPLITS = ("train", "validation", "test")
EXAMPLE_SCHEMA = pa.schema(
    [
        ("user", pa.int32()),
        ("split", pa.string()),
        ("position", pa.int32()),
        ("history", pa.list_(pa.int32())),
        ("target", pa.int32()),
        ("sampled", pa.bool_()),
    ]
)


def make_examples(
    interactions: pd.DataFrame, settings: SplitSettings, seed: int, user_ids: Sequence[str]
) -> pd.DataFrame:
    """examples_table as a data frame whose histories are int32 arrays."""
    return examples_table(interactions, settings, seed, user_ids).to_pandas()


def examples_table(interactions: pd.DataFrame, settings: SplitSettings, seed: int, user_ids: Sequence[str]) -> pa.Table:
    """All examples, ordered by (user, position), as an Arrow table of EXAMPLE_SCHEMA.

    interactions: the corpus table (user, item, timestamp), sorted by user and time; user_ids: ids by user code, from
    which the sample is drawn. An example needs at least one earlier item; a user too short for a split has none in it.
    Raises InputError for a global_time split without timestamps, or when a split comes out empty.
    """
    users = interactions["user"].to_numpy(np.int32)
    items = interactions["item"].to_numpy(np.int32)
    starts = np.flatnonzero(np.diff(users, prepend=-1)).astype(np.int64)
    ends = np.append(starts[1:], len(users)).astype(np.int64)
    if settings.kind == "leave_one_out":
        targets = {"test": ends - 1, "validation": ends - 2, "train": ends - 3}
    else:
        targets = _targets_by_date(interactions, users, starts, ends, settings)
    parts = [("test", targets["test"]), ("validation", targets["validation"])]
    parts += [("train", targets["train"] - back) for back in range(settings.examples_per_user)]
    split = np.repeat([name for name, _ in parts], len(starts))
    begin, row = np.tile(starts, len(parts)), np.concatenate([target for _, target in parts])
    possible = np.flatnonzero(row > begin)  # at least one item of history (a missing target is -1)
    possible = possible[np.argsort(row[possible], kind="stable")]
    row, begin, split = row[possible], begin[possible], split[possible]
    for name in SPLITS:
        if not (split == name).any():
            advice = (
                "users need at least 4 interactions: raise corpus.k_core or give a larger dump"
                if settings.kind == "leave_one_out"
                else "move split.validation_quantile and split.test_quantile apart, or give a larger dump"
            )
            raise InputError(f"split.kind = {settings.kind} leaves no {name} example; {advice}")
    cut = np.maximum(begin, row - settings.max_history)
    offsets = np.concatenate([[0], np.cumsum(row - cut)])
    # Histories are contiguous runs of `items`.
    places = np.arange(offsets[-1]) + np.repeat(cut - offsets[:-1], row - cut)
    columns = {
        "user": users[row],
        "split": split,
        "position": (row - begin).astype(np.int32),
        "history": pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(items[places])),
        "target": items[row],
        "sampled": _sampled(users[row], split, settings.sample_users, seed, user_ids),
    }
    return pa.table(columns, schema=EXAMPLE_SCHEMA)


def _targets_by_date(
    interactions: pd.DataFrame, users: NDArray[Any], starts: NDArray[Any], ends: NDArray[Any], settings: SplitSettings
) -> dict[str, NDArray[np.int64]]:
    if interactions["timestamp"].isna().any():
        raise InputError(
            "split.kind = global_time needs a time for every interaction, and this corpus has none: "
            "use split.kind: leave_one_out, or a dump with times"
        )
    times = interactions["timestamp"].to_numpy(np.int64)
    # "lower" gives a time that occurs, so that equal times are never split.
    quantiles = [settings.validation_quantile, settings.test_quantile]
    validation_date, test_date = np.quantile(times, quantiles, method="lower")
    before_validation = np.add.reduceat(times < validation_date, starts, dtype=np.int64)
    before_test = np.add.reduceat(times < test_date, starts, dtype=np.int64)
    first_validation, first_test = starts + before_validation, starts + before_test
    return {
        "train": first_validation - 1,
        "validation": np.where(first_validation < first_test, first_validation, -1),
        "test": np.where(first_test < ends, first_test, -1),
    }


def _sampled(
    users: NDArray[Any], split: NDArray[Any], sizes: SampleUsers, seed: int, user_ids: Sequence[str]
) -> NDArray[np.bool_]:
    """Which examples the language-model stages use.

    Each split takes the first users, in one random order, that have an example in it. A larger sample therefore
    contains a smaller one, also across splits with the same users (always so in leave-one-out after a 5-core filter).
    """
    sampled = np.ones(len(users), dtype=bool)
    limits = {name: getattr(sizes, name) for name in SPLITS}
    if all(limit is None for limit in limits.values()):
        return sampled
    draws = np.array([derive_seed(seed, "sample", user_id) for user_id in user_ids], dtype=np.int64)
    rank = np.empty(len(draws), dtype=np.int64)
    rank[np.argsort(draws, kind="stable")] = np.arange(len(draws))
    for name, limit in limits.items():
        in_split = split == name
        eligible = np.sort(np.unique(rank[users[in_split]]))
        if limit is not None and limit < len(eligible):
            sampled[in_split] = rank[users[in_split]] <= eligible[limit - 1]
    return sampled


def training_sequences(interactions: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """The interactions a model may learn from: each user's up to and including the latest training target.

    Returns rows of `interactions` with a `position` column (index in the user's whole sequence), never validation or
    test targets or anything between them. Users without a training example contribute nothing.
    """
    users = interactions["user"].to_numpy(np.int64)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    position = np.arange(len(users)) - np.repeat(starts, np.diff(np.append(starts, len(users))))
    train = examples[examples["split"] == "train"]
    latest = np.full(int(users.max(initial=-1)) + 1, -1, dtype=np.int64)
    np.maximum.at(latest, train["user"].to_numpy(np.int64), train["position"].to_numpy(np.int64))
    allowed = position <= latest[users]
    return interactions[allowed].assign(position=position[allowed].astype(np.int32))


def sequences_by_user(interactions: pd.DataFrame) -> dict[int, NDArray[np.int32]]:
    """Each user's items in order, by user code; takes a corpus or what training_sequences returns."""
    users = interactions["user"].to_numpy(np.int64)
    items = interactions["item"].to_numpy(np.int32)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    return dict(zip(users[starts].tolist(), np.split(items, starts[1:]), strict=True)) if len(users) else {}
