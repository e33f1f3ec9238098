"""Eq. (2): R_Smax = argmax over a tree's leaves of S(leaf)."""

import itertools
import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.errors import InputError
from pulse_core.keys import KEY, KEY_FIELDS, Key, keys
from pulse_core.selection.scorers import Scorer

log = logging.getLogger("pulse")

SELECTED_SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        ("rationale", pa.string()),
        ("node", pa.int32()),
        ("score", pa.float32()),
        (
            "runners_up",
            pa.list_(pa.struct([("node", pa.int32()), ("score", pa.float32()), ("rationale", pa.string())])),
        ),
        ("scorer", pa.string()),
        ("behaviour", pa.string()),  # history, or oracle (the scorer saw the target)
    ]
)


def _leaves(tree: pd.DataFrame) -> pd.DataFrame:
    """The leaves by (user, split, position, node), without blank ones unless all leaves of the tree are blank."""
    leaves = tree[tree["is_leaf"]].sort_values([*KEY, "node"], ignore_index=True)
    blank = leaves["rationale"].str.strip() == ""
    all_blank = blank.groupby([leaves[column] for column in KEY]).transform("all")
    if blank.any():
        log.warning("selection: %d of %d leaves are blank and are passed over", int(blank.sum()), len(leaves))
    return leaves[~blank | all_blank].reset_index(drop=True)


def select_rationales(tree: pd.DataFrame, behaviour: Mapping[Key, str], scorer: Scorer) -> pd.DataFrame:
    """Select the best leaf of each tree, Eq. (2). `behaviour`: texts for scorers that read them.

    Returns one row per example, sorted by key: rationale, node and score of the best leaf, the scorer's name, and
    `runners_up`, the other leaves by descending score. Ties (in float32) go to the lowest node.

    Raises:
        InputError: an example has no behaviour text, or a score is not a number.
    """
    leaves = _leaves(tree)
    leaf_keys = keys(leaves)
    texts = [""] * len(leaf_keys)
    if scorer.reads_behaviour:
        unknown = next((key for key in leaf_keys if key not in behaviour), None)
        if unknown is not None:
            raise InputError(f"selection: no behaviour text for (user, split, position) {unknown}, which has a tree")
        texts = [behaviour[key] for key in leaf_keys]
    logprobs = leaves["mean_logprob"].to_numpy(dtype=np.float64, na_value=np.nan)
    scores = scorer.scores(texts, leaves["rationale"].tolist(), logprobs).astype(np.float32)
    if np.isnan(scores).any():
        row = int(np.isnan(scores).argmax())
        key = (*leaf_keys[row], int(leaves["node"].iloc[row]))
        raise InputError(f"selection: {scorer.name} gives (user, split, position, node) {key} no score (not a number)")
    leaves["score"] = scores
    ordered = leaves.sort_values([*KEY, "score", "node"], ascending=[True, True, True, False, True], ignore_index=True)
    first = ~ordered.duplicated(KEY)
    best = ordered.loc[first, [*KEY, "rationale", "node", "score"]].reset_index(drop=True)
    runners = ordered[["node", "score", "rationale"]].to_dict("records")
    starts = [*np.flatnonzero(first.to_numpy()), len(ordered)]
    best["runners_up"] = [runners[start + 1 : end] for start, end in itertools.pairwise(starts)]
    best["scorer"] = scorer.name
    return best


def selected_table(selected: pd.DataFrame, behaviour: str) -> pa.Table:
    """The table of selected/<scorer>.parquet; `behaviour` (history or oracle) is a column."""
    return pa.Table.from_pandas(selected.assign(behaviour=behaviour), schema=SELECTED_SCHEMA, preserve_index=False)
