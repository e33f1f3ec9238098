"""The SASRec stage over tables: cross-fitted models, their states and full-ranking metrics."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.artifacts import write_json, write_table
from pulse_core.checkpoints import Checkpoint
from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.seeding import derive_seed
from pulse_core.sequence.cross_fit import ALL_USERS, fold_of_examples, fold_of_users, train_cross_fitted
from pulse_core.sequence.full_ranking import ranking_metrics
from pulse_core.sequence.keyed_table import keyed_table, list_column
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.states import full_ranks, states
from pulse_core.sequence.training import load_models, save_models

log = logging.getLogger("pulse")


def run_sasrec(
    interactions: pd.DataFrame,
    examples: pd.DataFrame,
    user_ids: Sequence[str],
    item_count: int,
    settings: SASRecSettings,
    seed: int,
    out: Path,
    checkpoint: Checkpoint | None = None,
) -> dict[str, object]:
    """Train on training sequences only and write model.safetensors, states.parquet and metrics.json into `out`.

    interactions and examples: the corpus and examples tables; user_ids: ids by user code. Returns the metrics.
    """
    training = sequences_by_user(training_sequences(interactions, examples))
    users = np.array(list(training), dtype=np.int64)
    folds = fold_of_users(user_ids, settings.cross_fit_folds, seed)
    validation = _validation(examples, settings, seed)
    sequences = list(training.values())
    fitted = train_cross_fitted(sequences, folds[users], validation, item_count, settings, seed, checkpoint)
    log.info("SASRec: best epoch %d, %.2f s per epoch", fitted.full.best_epoch, fitted.full.epoch_seconds)
    example_folds = fold_of_examples(examples["user"].to_numpy(), examples["split"].to_numpy(), folds)
    metrics: dict[str, object] = {
        "settings": settings.model_dump(),
        "seed": seed,
        "best_epoch": fitted.full.best_epoch,
        "epochs_run": fitted.full.epochs_run,
        "full_ranking": _full_ranking(fitted.models, examples, example_folds),
        "curve": fitted.full.curve,
    }
    save_models(out / "model.safetensors", {_name(fold): model for fold, model in fitted.models.items()})
    write_table(out / "states.parquet", _states_table(fitted.models, examples, example_folds))
    write_json(out / "metrics.json", metrics)
    return metrics


def load_fold_models(path: str | Path, settings: SASRecSettings) -> dict[int, SASRec]:
    """The models of `run_sasrec` by fold number; -1 is the one trained on all users."""
    named = load_models(path, settings)
    return {ALL_USERS if name == "full" else int(name.removeprefix("fold")): model for name, model in named.items()}


def _name(fold: int) -> str:
    return "full" if fold == ALL_USERS else f"fold{fold}"


def _validation(examples: pd.DataFrame, settings: SASRecSettings, seed: int) -> tuple[Sequence[np.ndarray], np.ndarray]:
    chosen = examples[examples["split"] == "validation"]
    if len(chosen) > settings.validation_examples:
        chosen = chosen.sample(settings.validation_examples, random_state=derive_seed(seed, "sasrec-looks") % 2**32)
    return chosen["history"].tolist(), chosen["target"].to_numpy(np.int64)


def _states_table(models: dict[int, SASRec], examples: pd.DataFrame, folds: np.ndarray) -> pa.Table:
    vectors = np.zeros((len(examples), models[ALL_USERS].items.embedding_dim), dtype=np.float32)
    histories = examples["history"].to_numpy()
    for fold in np.unique(folds):
        rows = folds == fold
        vectors[rows] = states(models[int(fold)], list(histories[rows]))
    columns = {"fold": pa.array(folds, pa.int32()), "state": list_column(vectors, pa.float32())}
    return keyed_table(examples, columns)


def _full_ranking(models: dict[int, SASRec], examples: pd.DataFrame, folds: np.ndarray) -> dict[str, dict[str, float]]:
    """By split; `train` by the full model, which saw the users; `train_cross_fit` by those that later stages use."""
    splits, targets = examples["split"].to_numpy(), examples["target"].to_numpy(np.int64)
    histories = examples["history"].to_numpy()
    ranks, cross_fit_ranks = np.zeros(len(examples), np.int64), np.zeros(len(examples), np.int64)
    ranks[:] = full_ranks(models[ALL_USERS], list(histories), targets)
    for fold in np.unique(folds):
        rows = folds == fold
        cross_fit_ranks[rows] = full_ranks(models[int(fold)], list(histories[rows]), targets[rows])
    figures = {split: ranking_metrics(ranks[splits == split]) for split in np.unique(splits)}
    if folds.max(initial=ALL_USERS) > ALL_USERS:
        figures["train_cross_fit"] = ranking_metrics(cross_fit_ranks[splits == "train"])
    return figures
