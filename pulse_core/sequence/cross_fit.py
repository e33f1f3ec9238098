"""Cross-fitting over folds of users: a training example is read by a model that never saw its user.

SASRec learns the training targets, so its states and neighbours tell more of a training example than they ever will of
a test user, and a ranker would learn to trust them too much. Model f is trained without the users of fold f and reads
their training examples; the model trained on all users (fold -1) reads validation and test examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.training import TrainedSASRec, train

ALL_USERS = -1  # the fold of what the model trained on all users reads


@dataclass(frozen=True)
class CrossFitted:
    """The full model's training and, by fold number, all models: models[-1] is the full one."""

    full: TrainedSASRec
    models: dict[int, SASRec]


def fold_of_users(user_ids: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Fold of each user by its id alone, (users,) int32; all -1 when `folds` is 0."""
    if not folds:
        return np.full(len(user_ids), ALL_USERS, dtype=np.int32)
    return np.array([derive_seed(seed, "fold", user_id) % folds for user_id in user_ids], dtype=np.int32)


def fold_of_examples(users: np.ndarray, splits: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Fold whose model reads each example: its user's for training examples, -1 for the others."""
    return np.where(splits == "train", folds[users], ALL_USERS).astype(np.int32)


def train_cross_fitted(
    sequences: Sequence[np.ndarray],
    folds: np.ndarray,
    validation: tuple[Sequence[np.ndarray], np.ndarray],
    item_count: int,
    settings: SASRecSettings,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> CrossFitted:
    """Train the full model with early stopping, then one model a fold for as many epochs as the full one's best.

    sequences and folds are aligned: (training items, fold) of each user. A fold's model has no validation of its own:
    stopping it on the users it must not see would be the leak again. Raises InputError if a fold leaves nobody to
    train on.
    """
    checkpoint = checkpoint or Checkpoint()
    full = train(sequences, validation, item_count, settings, derive_seed(seed, "sasrec"), checkpoint.part("full"))
    models = {ALL_USERS: full.model}
    fixed = settings.model_copy(update={"epochs": full.best_epoch})
    for fold in sorted({int(fold) for fold in folds} - {ALL_USERS}):
        others = [sequence for sequence, own in zip(sequences, folds, strict=True) if own != fold]
        if not any(len(sequence) > 1 for sequence in others):
            raise InputError(
                f"sasrec.cross_fit_folds = {settings.cross_fit_folds}: all users fell into one fold of "
                "this small corpus; set it to 0 or give more users"
            )
        fold_seed, part = derive_seed(seed, "sasrec", "fold", fold), checkpoint.part(f"fold{fold}")
        models[fold] = train(others, None, item_count, fixed, fold_seed, part, f"SASRec without fold {fold}").model
    return CrossFitted(full, models)
