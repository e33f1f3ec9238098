"""The neighbours stage over tables, and its leak figures: how often the neighbours' items contain the target."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.keys import key_columns
from pulse_core.progress import Progress, progress
from pulse_core.sequence.cross_fit import ALL_USERS, fold_of_examples, fold_of_users
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.neighbours import Neighbours, build_pool, find_neighbours
from pulse_core.sequence.settings import NeighbourSettings, SASRecSettings
from pulse_core.sequence.states import states

DEPTHS = (1, 3, 5, 10)
ROWS = 2048  # examples per progress update


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

    Pools hold training interactions only. A training example of fold f is compared with users outside the fold, all
    encoded by model f; validation and test examples with all other users, encoded by the full model. models: by fold
    number. seed: SASRec's, which gives the same folds.
    """
    folds = fold_of_users(user_ids, sasrec.cross_fit_folds, seed)
    example_folds = fold_of_examples(examples, folds)
    training = sequences_by_user(training_sequences(interactions, examples))
    full_sequences = sequences_by_user(interactions)
    splits = examples["split"].to_numpy()
    is_train = splits == "train"
    cross_fitted = sasrec.cross_fit_folds > 0
    neighbours = np.empty(len(examples), dtype=object)
    with progress("neighbours", len(examples) + (int(is_train.sum()) if cross_fitted else 0), "examples") as meter:
        for fold in np.unique(example_folds):
            rows, model = example_folds == fold, models[int(fold)]
            pool = {user: items for user, items in training.items() if fold == ALL_USERS or folds[user] != fold}
            neighbours[rows] = _neighbours_of(examples[rows], model, pool, full_sequences, settings, meter)
        figures = {
            str(split): target_share(neighbours[splits == split], examples[splits == split])
            for split in np.unique(splits)
        }
        if cross_fitted:
            train = examples[is_train]
            of_full_model = _neighbours_of(train, models[ALL_USERS], training, full_sequences, settings, meter)
            figures["train_without_cross_fit"] = target_share(of_full_model, train)
    leak: dict[str, object] = {
        "target_in_items": figures,
        "cross_fit_folds": sasrec.cross_fit_folds,
        "settings": settings.model_dump(),
    }
    table = {
        **key_columns(examples),
        "fold": pa.array(example_folds, pa.int32()),
        "neighbours": pa.array([n.users.astype(np.int32) for n in neighbours], pa.list_(pa.int32())),
        "similarities": pa.array([n.similarities for n in neighbours], pa.list_(pa.float32())),
        "items": pa.array([n.items for n in neighbours], pa.list_(pa.int32())),
        "item_weights": pa.array([n.item_weights for n in neighbours], pa.list_(pa.float32())),
    }
    return pa.table(table), leak


def target_share(neighbours: Iterable[Neighbours], examples: pd.DataFrame) -> dict[str, float]:
    """Share of examples whose target is among the first 1, 3, 5, 10 and all of the neighbours' items."""
    places = np.full(len(examples), np.inf)
    for row, (of_example, target) in enumerate(zip(neighbours, examples["target"], strict=True)):
        if target in of_example.items:
            places[row] = of_example.items.tolist().index(target)
    shares = {f"top{depth}": float((places < depth).mean()) for depth in DEPTHS}
    return {**shares, "all": float((places < np.inf).mean()), "examples": float(len(examples))}


def _neighbours_of(
    examples: pd.DataFrame,
    model: SASRec,
    pool_sequences: dict[int, np.ndarray],
    full_sequences: dict[int, np.ndarray],
    settings: NeighbourSettings,
    meter: Progress,
) -> list[Neighbours]:
    pool_users = np.array(list(pool_sequences), dtype=np.int64)
    pool = build_pool(model, list(pool_sequences.values()), pool_users, settings)
    users, positions = examples["user"].to_numpy(), examples["position"].to_numpy()
    purchases = [full_sequences[int(user)][:position] for user, position in zip(users, positions, strict=True)]
    example_states = states(model, examples["history"].tolist())
    neighbours: list[Neighbours] = []
    for start in range(0, len(examples), ROWS):
        rows = slice(start, start + ROWS)
        neighbours += find_neighbours(example_states[rows], users[rows], purchases[rows], pool, settings)
        meter.advance(len(users[rows]))
    return neighbours
