"""Training of the sequence model with early stopping on validation targets."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pulse_core.checkpoints import Checkpoint, digest_of_arrays
from pulse_core.errors import InputError
from pulse_core.sequence.batches import draw_negatives, training_batches
from pulse_core.sequence.model import SASRec, binary_loss, softmax_loss
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.sequence.states import full_ranks, ranking_metrics
from pulse_core.training_loop import Schedule, Training, descend, fit


def new_optimiser(model: SASRec, settings: SASRecTrainingSettings) -> torch.optim.Adam:
    """Adam with the SASRec paper's betas."""
    return torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)


def train(
    sequences: Sequence[np.ndarray],
    validation: tuple[Sequence[np.ndarray], np.ndarray] | None,
    item_count: int,
    settings: SASRecTrainingSettings,
    seed: int,
    checkpoint: Checkpoint | None = None,
    label: str = "SASRec",
) -> tuple[SASRec, Training]:
    """Fit SASRec on training sequences; torch's global generator is left as it was.

    Args:
        sequences: item codes of each user, oldest first, without validation or test targets.
        validation: (histories, targets) for early stopping on full-ranking NDCG@10; None: run all epochs.
        checkpoint: a killed run resumes from it and gives the same bytes.
        label: names the training in progress lines.

    Raises:
        InputError: no sequence holds two items.
    """
    if not any(len(sequence) > 1 for sequence in sequences):
        raise InputError("SASRec has nothing to learn from: no training sequence holds two items (relax corpus.k_core)")
    histories, targets = validation or ([], np.zeros(0))
    data = digest_of_arrays(sequences, histories, [targets])
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights and dropout draw from torch's generator
        model = SASRec(item_count, settings)
        optimiser = new_optimiser(model, settings)
        training = fit(
            label,
            model,
            optimiser,
            lambda epoch: [epoch],
            lambda _step, _epoch: run_epoch(model, sequences, optimiser, settings, generator),
            (lambda: ranking_metrics(full_ranks(model, histories, targets))) if validation else None,
            Schedule(settings.epochs, settings.evaluate_every, settings.patience),
            generator=generator,
            checkpoint=checkpoint,
            determined_by=(data, item_count, settings.model_dump(), seed),
        )
    return model, training


def run_epoch(
    model: SASRec,
    sequences: Sequence[np.ndarray],
    optimiser: torch.optim.Optimizer,
    settings: SASRecTrainingSettings,
    generator: np.random.Generator,
    key: str = "sasrec.learning_rate",
) -> list[float]:
    """One pass over the sequences; returns the loss of each batch. `key` is the setting to lower if it diverges."""
    batches = training_batches(sequences, settings.batch_size, settings.max_length, generator)
    losses = (_loss(model, parts, settings, generator) for parts in batches)
    return descend(optimiser, losses, "SASRec", key)


def _loss(
    model: SASRec, parts: list[tuple[Tensor, Tensor]], settings: SASRecTrainingSettings, generator: np.random.Generator
) -> Tensor:
    states = torch.cat([model(inputs)[targets > 0] for inputs, targets in parts])  # (positions, dim)
    codes = torch.cat([targets[targets > 0] for _, targets in parts]) - 1
    if settings.loss == "ce":
        return softmax_loss(states, model.item_vectors(), codes)
    negatives = torch.from_numpy(draw_negatives(parts, model.item_count, generator))
    return binary_loss(states, model.item_vectors(), codes, negatives)
