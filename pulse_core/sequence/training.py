"""Training of the sequence model with early stopping on validation targets, and its file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from pulse_core.artifacts import whole_file
from pulse_core.early_stopping import Advance, Figures, Fit, Schedule, fit
from pulse_core.errors import InputError
from pulse_core.schedules import finite
from pulse_core.sequence.batches import draw_negatives, training_batches
from pulse_core.sequence.full_ranking import ranking_metrics
from pulse_core.sequence.losses import binary_loss, softmax_loss
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import SASRecTrainingSettings
from pulse_core.sequence.states import full_ranks


@dataclass
class TrainedSASRec(Fit):
    """A model and how it came to be."""

    model: SASRec = field(kw_only=True)


def new_model(item_count: int, settings: SASRecTrainingSettings) -> SASRec:
    """An untrained model of the configured shape; draws from torch's global generator."""
    return SASRec(
        item_count, settings.dimension, settings.blocks, settings.heads, settings.dropout, settings.max_length
    )


def train(
    sequences: Sequence[np.ndarray],
    validation: tuple[Sequence[np.ndarray], np.ndarray] | None,
    item_count: int,
    settings: SASRecTrainingSettings,
    seed: int,
    advance: Advance | None = None,
) -> TrainedSASRec:
    """Fit SASRec on training sequences alone.

    sequences: item codes of each user, oldest first, without validation or test targets. validation: (histories,
    targets) for early stopping on full-ranking NDCG@10, or None to run exactly `settings.epochs`. Equal inputs and
    seed give equal weights; torch's global generator is left as it was. `advance(epochs, note)` is called after every
    epoch. Raises InputError if no sequence holds two items.
    """
    if not any(len(sequence) > 1 for sequence in sequences):
        raise InputError("SASRec has nothing to learn from: no training sequence holds two items (relax corpus.k_core)")
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights and dropout draw from torch's generator, restored afterwards
        model = new_model(item_count, settings)
        return _fit(model, sequences, validation, settings, generator, advance)


def _fit(
    model: SASRec,
    sequences: Sequence[np.ndarray],
    validation: tuple[Sequence[np.ndarray], np.ndarray] | None,
    settings: SASRecTrainingSettings,
    generator: np.random.Generator,
    advance: Advance | None,
) -> TrainedSASRec:
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)

    def epoch(_number: int) -> float:
        return run_epoch(model, sequences, optimiser, settings, generator)

    def look() -> Figures:
        return ranking_metrics(full_ranks(model, *(validation or ([], np.zeros(0)))))

    schedule = Schedule(settings.epochs, settings.evaluate_every, settings.patience)
    found = fit(model, optimiser, epoch, None if validation is None else look, schedule, advance)
    return TrainedSASRec(**vars(found), model=model)


def run_epoch(
    model: SASRec,
    sequences: Sequence[np.ndarray],
    optimiser: torch.optim.Optimizer,
    settings: SASRecTrainingSettings,
    generator: np.random.Generator,
    key: str = "sasrec.learning_rate",
) -> float:
    """One pass over the sequences; returns the mean loss a batch. `key` is to be lowered if it diverges."""
    model.train()
    losses: list[float] = []
    for parts in training_batches(sequences, settings.batch_size, settings.max_length, generator):
        loss = _loss(model, parts, settings, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(finite(loss.item(), "SASRec", key))
    return float(np.mean(losses))


def _loss(
    model: SASRec, parts: list[tuple[Tensor, Tensor]], settings: SASRecTrainingSettings, generator: np.random.Generator
) -> Tensor:
    states = torch.cat([model(inputs)[targets > 0] for inputs, targets in parts])  # (positions, dim)
    codes = torch.cat([targets[targets > 0] for _, targets in parts]) - 1
    if settings.loss == "ce":
        return softmax_loss(states, model.item_vectors(), codes)
    negatives = torch.from_numpy(draw_negatives(parts, model.item_count, generator))
    return binary_loss(states, model.item_vectors(), codes, negatives)


def save_models(path: str | Path, models: dict[str, SASRec]) -> None:
    """Write models of one shape into one safetensors file; tensors are named `<model>/<parameter>`."""
    tensors = {
        f"{name}/{parameter}": tensor.contiguous()
        for name, model in models.items()
        for parameter, tensor in model.state_dict().items()
    }
    with whole_file(path) as partial:
        safetensors.torch.save_file(tensors, partial)


def load_models(path: str | Path, settings: SASRecTrainingSettings) -> dict[str, SASRec]:
    """Read what `save_models` wrote. Raises InputError if the file was made with other settings."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, tensor in safetensors.torch.load_file(path).items():
        name, parameter = key.split("/", 1)
        groups.setdefault(name, {})[parameter] = tensor
    models = {}
    for name, tensors in groups.items():
        with torch.random.fork_rng(devices=[]):
            model = new_model(tensors["items.weight"].shape[0] - 1, settings)
        try:
            model.load_state_dict(tensors)
        except RuntimeError as error:
            raise InputError(f"{path}: made with other `sasrec` settings; delete it and run again") from error
        models[name] = model.eval()
    return models
