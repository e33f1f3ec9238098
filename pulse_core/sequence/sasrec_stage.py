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
from pulse_core.keys import key_columns
from pulse_core.seeding import derive_seed
from pulse_core.sequence.cross_fit import ALL_USERS, fold_of_examples, fold_of_users, save_models, train_cross_fitted
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.states import full_ranks, ranking_metrics, ranks_by_product, states

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
) -> None:
    """Train on training sequences only and write model.safetensors, states.parquet and metrics.json into `out`.

    interactions and examples: the corpus and examples tables; user_ids: ids by user code. In the metrics, `train` is
    ranked by the full model, which saw the users, and `train_cross_fit` by the models that later stages use.
    """
    validation = examples[examples["split"] == "validation"]
    if len(validation) > settings.validation_examples:
        draw = derive_seed(seed, "sasrec-looks") % 2**32
        validation = validation.sample(settings.validation_examples, random_state=draw)
    training = sequences_by_user(training_sequences(interactions, examples))
    folds = fold_of_users(user_ids, settings.cross_fit_folds, seed)
    full, models = train_cross_fitted(
        list(training.values()),
        folds[list(training)],
        (validation["history"].tolist(), validation["target"].to_numpy(np.int64)),
        item_count,
        settings,
        seed,
        checkpoint or Checkpoint(),
    )
    log.info("SASRec: best epoch %d, %.2f s per epoch", full.best_epoch, full.epoch_seconds)

    example_folds = fold_of_examples(examples, folds)
    splits, targets = examples["split"].to_numpy(), examples["target"].to_numpy(np.int64)
    histories = examples["history"].to_numpy()
    vectors = np.zeros((len(examples), settings.dimension), dtype=np.float32)
    cross_fit_ranks = np.zeros(len(examples), np.int64)
    for fold in np.unique(example_folds):
        rows, model = example_folds == fold, models[int(fold)]
        vectors[rows] = states(model, histories[rows])
        items = model.item_vectors().detach().numpy()
        cross_fit_ranks[rows] = ranks_by_product(vectors[rows], items, histories[rows], targets[rows])
    ranks = full_ranks(models[ALL_USERS], histories, targets)
    full_ranking = {split: ranking_metrics(ranks[splits == split]) for split in np.unique(splits)}
    if len(models) > 1:
        full_ranking["train_cross_fit"] = ranking_metrics(cross_fit_ranks[splits == "train"])

    save_models(out / "model.safetensors", models)
    table = {
        **key_columns(examples),
        "fold": pa.array(example_folds, pa.int32()),
        "state": pa.array(list(vectors), pa.list_(pa.float32())),
    }
    write_table(out / "states.parquet", pa.table(table))
    metrics = {
        "settings": settings.model_dump(),
        "seed": seed,
        "best_epoch": full.best_epoch,
        "epochs_run": full.epochs_run,
        "full_ranking": full_ranking,
        "curve": full.curve,
    }
    write_json(out / "metrics.json", metrics)
