"""Cross-fitting over folds of users: training examples are encoded by a model that never saw their users.

SASRec learns the training targets, so its states and neighbours are more informative for training examples than for
test users, and a ranker would learn to trust them too much. Model f is trained without the users of fold f and encodes
their training examples; the model trained on all users (fold -1) encodes validation and test examples.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pulse_core.artifacts import whole_file
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.training import train
from pulse_core.training_loop import Training

ALL_USERS = -1  # the fold of the model trained on all users


def fold_of_users(user_ids: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Fold of each user by its id alone, (users,) int32; all -1 when `folds` is 0."""
    if not folds:
        return np.full(len(user_ids), ALL_USERS, dtype=np.int32)
    return np.array([derive_seed(seed, "fold", user_id) % folds for user_id in user_ids], dtype=np.int32)


def fold_of_examples(examples: pd.DataFrame, folds: np.ndarray) -> np.ndarray:
    """Fold of the model that encodes each example: its user's for training examples, else -1."""
    return np.where(examples["split"] == "train", folds[examples["user"]], ALL_USERS).astype(np.int32)


def train_cross_fitted(
    sequences: Sequence[np.ndarray],
    folds: np.ndarray,
    validation: tuple[Sequence[np.ndarray], np.ndarray],
    item_count: int,
    settings: SASRecSettings,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[Training, dict[int, SASRec]]:
    """Train the full model with early stopping, then one model per fold for the full model's best number of epochs.

    sequences and folds: training items and fold of each user. Fold models have no validation: stopping early on the
    users they must not see would leak. Returns the full model's training and all models by fold number. Raises
    InputError if a fold leaves no user to train on.
    """
    full_seed, part = derive_seed(seed, "sasrec"), checkpoint.part("full")
    model, full = train(sequences, validation, item_count, settings, full_seed, part)
    models = {ALL_USERS: model}
    fixed = settings.model_copy(update={"epochs": full.best_epoch})
    for fold in sorted({int(fold) for fold in folds} - {ALL_USERS}):
        others = [sequence for sequence, user_fold in zip(sequences, folds, strict=True) if user_fold != fold]
        if not any(len(sequence) > 1 for sequence in others):
            raise InputError(
                f"sasrec.cross_fit_folds = {settings.cross_fit_folds}: all users fell into one fold of "
                "this small corpus; set it to 0 or give more users"
            )
        fold_seed, part = derive_seed(seed, "sasrec", "fold", fold), checkpoint.part(f"fold{fold}")
        models[fold], _ = train(others, None, item_count, fixed, fold_seed, part, f"SASRec without fold {fold}")
    return full, models


def save_models(path: str | Path, models: dict[int, SASRec]) -> None:
    """Write the models by fold number into one safetensors file; tensors are named `<model>/<parameter>`."""
    tensors = {
        f"{'full' if fold == ALL_USERS else f'fold{fold}'}/{parameter}": tensor.contiguous()
        for fold, model in models.items()
        for parameter, tensor in model.state_dict().items()
    }
    with whole_file(path) as partial:
        save_file(tensors, partial)


def load_models(path: str | Path, settings: SASRecSettings) -> dict[int, SASRec]:
    """Read what `save_models` wrote. Raises InputError if the file was made with other settings."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in load_file(path).items():
        name, parameter = key.split("/", 1)
        fold = ALL_USERS if name == "full" else int(name.removeprefix("fold"))
        states.setdefault(fold, {})[parameter] = tensor
    models = {}
    for fold, state in states.items():
        with torch.random.fork_rng(devices=[]):
            models[fold] = SASRec(len(state["items.weight"]) - 1, settings).eval()
        try:
            models[fold].load_state_dict(state)
        except RuntimeError as error:
            raise InputError(f"{path}: made with other `sasrec` settings; delete it and run again") from error
    return models
