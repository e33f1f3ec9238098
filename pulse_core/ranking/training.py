"""Training f_phi by Eq. (3), and scoring with it.

The output of the layers below the adapted ones never changes, so it is computed once per example (`CachedTrunk`).
"""

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from pulse_core import processes
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.ranking.cached_trunk import CachedTrunk
from pulse_core.ranking.layout import collate, length_batches, process_share, shuffled_batches
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import Question, pack
from pulse_core.ranking.settings import RankerSettings
from pulse_core.seeding import derive_seed
from pulse_core.training_loop import Figures, Schedule, finite, fit, warmup_cosine

log = logging.getLogger("pulse")


@dataclass(frozen=True)
class QuestionSet:
    """Questions with the index of each target among its candidates."""

    questions: Sequence[Question]
    targets: Sequence[int]


def score(ranker: Ranker, questions: Sequence[Question], label: str) -> np.ndarray:
    """(n, C) float32 scores in the order of `questions`; parallel processes share the work, and each gets all."""
    packed = [pack(question, ranker.tokenizer, ranker.settings.max_tokens) for question in questions]
    scores = np.zeros((len(packed), len(questions[0].candidates) if questions else 0), dtype=np.float32)
    ranker.eval()
    batches = processes.share(length_batches(packed, ranker.settings.batch_users))
    with progress(label, sum(map(len, batches)), "users") as meter, torch.inference_mode():
        for rows in batches:
            scores[rows] = ranker(collate([packed[row] for row in rows])).cpu().numpy()
            meter.advance(len(rows))
    return processes.total(scores)


def train(
    ranker: Ranker, training: QuestionSet, validation: QuestionSet, seed: int, checkpoint: Checkpoint | None = None
) -> dict[str, Any]:
    """Fit the adapters and the head; the ranker is left with the weights of its best validation HR@1.

    The untrained weights count as epoch 0: if training only makes the ranker worse, they are kept, and the validation
    curves, which start with them, show it. Processes that train together (`pulse_core.processes`) must all call this
    with the same arguments; they share the users of each step. A killed call resumes from `checkpoint` and ends with
    the same bytes. Returns the contents of training.json.

    Raises:
        InputError: no training or validation examples, or not enough space for `CachedTrunk`.
    """
    for name, part in (("train", training), ("validation", validation)):
        if not part.questions:
            raise InputError(f"the ranker has no {name} examples: raise split.sample_users.{name}")
    settings, users = ranker.settings, len(training.questions)
    checkpoint = checkpoint or Checkpoint()
    optimiser = torch.optim.AdamW(ranker.parameter_groups(), weight_decay=settings.weight_decay)
    group = settings.gradient_accumulation
    epoch_steps = math.ceil(math.ceil(users / settings.batch_users) / group)

    with ExitStack() as stack:

        @cache
        def trunk(name: str) -> CachedTrunk:  # filled at first use: a finished training needs none
            questions = (training if name == "training" else validation).questions
            states = CachedTrunk(ranker, questions, f"ranker: {name} trunk", checkpoint.directory)
            return stack.enter_context(closing(states))

        def batches(epoch: int) -> list[list[list[int]]]:
            """The rows of each forward pass of each step."""
            generator = np.random.default_rng(derive_seed(seed, "ranker-order", epoch))
            passes = shuffled_batches(trunk("training").packed, settings.batch_users, generator)
            return [passes[start : start + group] for start in range(0, len(passes), group)]

        result = fit(
            "ranker: training",
            ranker,
            optimiser,
            batches,
            lambda step, passes: _step(ranker, optimiser, trunk("training"), training.targets, passes, seed, step),
            lambda: _validate(ranker, trunk("validation"), validation.targets),
            Schedule(settings.epochs, 1, settings.patience, first_validation=0),
            # HR@1 changes in steps of one user, so the loss breaks ties.
            merit=lambda figures: (figures["hr1"], -figures["validation_loss"]),
            rate=lambda step: warmup_cosine(step, settings.epochs * epoch_steps, settings.warmup_share),
            total=settings.epochs * users,
            unit="users",
            size=lambda passes: sum(map(len, passes)),
            checkpoint=checkpoint,
            determined_by=(settings.model_dump(), ranker.dtype, seed, training, validation),
        )
    return {
        "validation_hr1": [figures["hr1"] for figures in result.curve],
        "validation_loss": [figures["validation_loss"] for figures in result.curve],
        "training_loss": result.epoch_losses,
        "best_epoch": result.best_epoch,
        "steps": result.steps,
        "train_examples": users,
        "validation_examples": len(validation.questions),
        "scale": float(ranker.scale.detach()),
        "arithmetic": ranker.dtype,
    }


def _step(
    ranker: Ranker,
    optimiser: torch.optim.Optimizer,
    trunk: CachedTrunk,
    targets: Sequence[int],
    passes: Sequence[list[int]],
    seed: int,
    step: int,
) -> list[float]:
    """One optimiser step; each process computes its share, and all return the loss of every forward pass."""
    losses, labels = np.zeros(len(passes)), torch.tensor(targets)
    with processes.seeded_dropout(derive_seed(seed, "ranker-dropout", step), ranker.scale.device):
        for number, rows, share in process_share(passes):
            batch, states = trunk.batch(rows)
            loss = share * cross_entropy(ranker.head_logits(batch, states), labels[rows].to(states.device))
            (loss / ranker.settings.gradient_accumulation).backward()
            losses[number] = float(loss.detach())
    losses = processes.total(losses)
    values = [finite(loss, "the ranker", "ranker.learning_rate") for loss in losses.tolist()]
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    processes.sum_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return values


def save_ranker(ranker: Ranker, directory: Path) -> None:
    """Save the adapters in peft's format and the head in head.safetensors."""
    for adapter in ranker.language_model.peft_config.values():
        adapter.target_modules = sorted(adapter.target_modules)  # a set, whose order differs between runs
    ranker.language_model.save_pretrained(directory)
    head = {"scale": ranker.scale, "weight": ranker.linear.weight, "bias": ranker.linear.bias}
    save_file({name: value.detach().contiguous().cpu() for name, value in head.items()}, directory / "head.safetensors")


def load_ranker(model: Path, directory: Path, settings: RankerSettings) -> Ranker:
    """The ranker that `save_ranker` wrote into `directory`; `model` is the one it was trained on."""
    ranker = Ranker(model, settings, 0, adapt=False)
    ranker.language_model = PeftModel.from_pretrained(ranker.language_model, directory)
    with torch.no_grad():
        for name, value in load_file(directory / "head.safetensors").items():
            target = ranker.scale if name == "scale" else getattr(ranker.linear, name)
            target.copy_(value)
    return ranker


def _validate(ranker: Ranker, trunk: CachedTrunk, targets: Sequence[int]) -> Figures:
    """Validation HR@1 (ties count against the ranker) and loss."""
    ranker.eval()
    hits, losses, labels = 0, 0.0, torch.tensor(targets)
    batches = processes.share(length_batches(trunk.packed, ranker.settings.batch_users))
    with progress("ranker: validation", sum(map(len, batches)), "users") as meter, torch.inference_mode():
        for rows in batches:
            batch, states = trunk.batch(rows)
            logits = ranker.head_logits(batch, states).cpu()
            target_logit = logits.gather(1, labels[rows][:, None])
            hits += int(((logits >= target_logit).sum(1) == 1).sum())
            losses += float(cross_entropy(logits, labels[rows], reduction="sum"))
            meter.advance(len(rows))
    hits, losses = processes.total(np.array([hits, losses])).tolist()
    hr1, loss = hits / len(targets), losses / len(targets)
    log.info("ranker: validation HR@1 %.4f, loss %.4f", hr1, loss)
    return {"hr1": hr1, "validation_loss": loss}
