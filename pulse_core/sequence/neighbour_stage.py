"""The neighbours stage over tables, and its leak figures: how often the neighbours' items contain the target."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.progress import Progress, progress
from pulse_core.sequence.cross_fit import ALL_USERS, fold_of_examples, fold_of_users
from pulse_core.sequence.keyed_table import keyed_table
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.neighbours import Neighbours, build_pool, find_neighbours
from pulse_core.sequence.settings import NeighbourSettings, SASRecSettings
from pulse_core.sequence.states import states

LOOKS = (1, 3, 5, 10)
ROWS = 2048  # examples between two lines of progress


def run_neighbours(
    interactions: pd.DataFrame,
    examples: pd.DataFrame,
    user_ids: Sequence[str],
    models: dict[int, SASRec],
    sasrec: SASRecSettings,
    settings: NeighbourSettings,
    seed: int,
) -> tuple[pa.Table, dict[str, object]]:
    """The neighbours table of all examples and its leak figures.

    Pools hold training interactions alone. A training example of fold f meets only users outside the fold, all read by
    model f; validation and test examples meet all other users, read by the full model. `models` by fold number; `seed`
    is the one that SASRec was trained with, so that the folds are the same.
    """
    folds = fold_of_users(user_ids, sasrec.cross_fit_folds, seed)
    example_folds = fold_of_examples(examples["user"].to_numpy(), examples["split"].to_numpy(), folds)
    training = sequences_by_user(training_sequences(interactions, examples))
    whole = sequences_by_user(interactions)
    splits = examples["split"].to_numpy()
    is_train = splits == "train"
    crossed = sasrec.cross_fit_folds > 0
    found = np.empty(len(examples), dtype=object)
    with progress("neighbours", len(examples) + (int(is_train.sum()) if crossed else 0), "examples") as meter:
        for fold in np.unique(example_folds):
            rows = np.flatnonzero(example_folds == fold)
            pool = {user: items for user, items in training.items() if fold == ALL_USERS or folds[user] != fold}
            found[rows] = _of_rows(examples.iloc[rows], models[int(fold)], pool, whole, settings, meter)
        figures = {
            str(split): target_share(found[splits == split], examples[splits == split]) for split in np.unique(splits)
        }
        if crossed:
            train = examples[is_train]
            without = _of_rows(train, models[ALL_USERS], training, whole, settings, meter)
            figures["train_without_cross_fit"] = target_share(without, train)
    leak: dict[str, object] = {
        "target_in_items": figures,
        "cross_fit_folds": sasrec.cross_fit_folds,
        "settings": settings.model_dump(),
    }
    return _table(examples, example_folds, found), leak


def target_share(found: Iterable[Neighbours], examples: pd.DataFrame) -> dict[str, float]:
    """Share of examples whose target is among the first 1, 3, 5, 10 and all of the neighbours' items."""
    places = np.full(len(examples), np.iinfo(np.int64).max)
    for row, (neighbours, target) in enumerate(zip(found, examples["target"].to_numpy(), strict=True)):
        hit = np.flatnonzero(neighbours.items == target)
        if len(hit):
            places[row] = hit[0]
    shares = {f"top{depth}": float((places < depth).mean()) for depth in LOOKS}
    return {**shares, "all": float((places < np.iinfo(np.int64).max).mean()), "examples": float(len(examples))}


def _of_rows(
    examples: pd.DataFrame,
    model: SASRec,
    pool_sequences: dict[int, np.ndarray],
    whole: dict[int, np.ndarray],
    settings: NeighbourSettings,
    meter: Progress,
) -> np.ndarray:
    pool_users = np.array(list(pool_sequences), dtype=np.int64)
    pool = build_pool(model, list(pool_sequences.values()), pool_users, settings)
    users, positions = examples["user"].to_numpy(), examples["position"].to_numpy()
    owned = [whole[int(user)][:position] for user, position in zip(users, positions, strict=True)]
    found = states(model, examples["history"].tolist())
    out = np.empty(len(examples), dtype=object)
    for start in range(0, len(examples), ROWS):
        rows = slice(start, start + ROWS)
        neighbours = find_neighbours(found[rows], users[rows], owned[rows], pool, settings)
        out[start : start + len(neighbours)] = neighbours
        meter.advance(len(neighbours))
    return out


def _table(examples: pd.DataFrame, folds: np.ndarray, found: Iterable[Neighbours]) -> pa.Table:
    columns = {
        "fold": pa.array(folds, pa.int32()),
        "neighbours": pa.array([n.users.astype(np.int32) for n in found], pa.list_(pa.int32())),
        "similarities": pa.array([n.similarities for n in found], pa.list_(pa.float32())),
        "items": pa.array([n.items for n in found], pa.list_(pa.int32())),
        "item_weights": pa.array([n.item_weights for n in found], pa.list_(pa.float32())),
    }
    return keyed_table(examples, columns)
