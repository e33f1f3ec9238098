"""Training f_phi by Eq. (3), and scoring with it.

The layers below the adapted ones never change, so what they make of each training user is computed once and kept;
epochs then cost the top layers alone. The result equals computing everything anew (tests/ranking).
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, pad

from pulse_core import processes
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.ranking.layout import Batch, collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.packing import PackedQuestion, Question, pack
from pulse_core.ranking.settings import RankerSettings
from pulse_core.schedules import finite, warmup_cosine
from pulse_core.seeding import derive_seed

log = logging.getLogger("pulse")


@dataclass(frozen=True)
class Asked:
    """Questions with the place of each target: what training and validation need."""

    questions: Sequence[Question]
    places: Sequence[int]


@dataclass
class TrainingRecord:
    """What training.json says. Index 0 of the curves is before any step."""

    validation_hr1: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    training_loss: list[float] = field(default_factory=list)
    best_epoch: int = 0
    steps: int = 0
    train_examples: int = 0
    validation_examples: int = 0
    scale: float = 1.0
    arithmetic: str = ""


def score(ranker: Ranker, questions: Sequence[Question], what: str) -> np.ndarray:
    """(n, C) float32 scores, in the order of `questions`; processes that run together share the work and get all."""
    packed = [pack(question, ranker.tokenizer, ranker.settings.max_tokens) for question in questions]
    scores = np.zeros((len(packed), len(questions[0].candidates) if questions else 0), dtype=np.float32)
    ranker.eval()
    batches = processes.own(_length_batches(packed, ranker.settings.batch_users))
    with progress(what, sum(map(len, batches)), "users") as meter, torch.inference_mode():
        for rows in batches:
            scores[rows] = ranker(collate([packed[row] for row in rows])).cpu().numpy()
            meter.advance(len(rows))
    return processes.total(scores)


def train(ranker: Ranker, training: Asked, validation: Asked, seed: int) -> TrainingRecord:
    """Fit the adapters and the head; the ranker ends with the weights of its best validation HR@1.

    Before any step counts as epoch 0: a ranker that training made worse falls back to it, and training.json shows it.
    Processes that train together (`pulse_core.processes`) must all call this with the same arguments: the users of each
    step are shared out among them, and they decide everything from common numbers.

    Raises:
        InputError: no training or no validation examples.
    """
    settings = ranker.settings
    for name, asked in (("train", training), ("validation", validation)):
        if not asked.questions:
            raise InputError(f"the ranker has no {name} examples: raise split.sample_users.{name}")
    record = TrainingRecord(train_examples=len(training.questions), validation_examples=len(validation.questions))
    packed = [pack(question, ranker.tokenizer, settings.max_tokens) for question in training.questions]
    places = torch.tensor(list(training.places))
    optimiser = torch.optim.AdamW(ranker.parameter_groups(), weight_decay=settings.weight_decay)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    batches = math.ceil(len(packed) / settings.batch_users)
    total_steps = settings.epochs * math.ceil(batches / settings.gradient_accumulation)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warmup_cosine(step, total_steps, settings.warmup_share)
    )
    order = np.random.default_rng(derive_seed(seed, "ranker-order"))

    held_validation = _Held(ranker, validation.questions, "ranker: validation trunk")
    _validate(ranker, held_validation, validation.places, record)
    best = ranker.trained_state()
    held = _Held(ranker, training.questions, "ranker: training trunk")
    dropout = processes.seeded_dropout(derive_seed(seed, "ranker-dropout"), ranker.scale.device)
    with progress("ranker: training", settings.epochs * len(packed), "users") as meter, dropout:
        for epoch in range(1, settings.epochs + 1):
            ranker.train()
            losses: list[float] = []
            rows = _shuffled_batches(packed, settings.batch_users, order)
            for start in range(0, len(rows), settings.gradient_accumulation):
                window = rows[start : start + settings.gradient_accumulation]
                found = np.zeros(len(window))
                for number, chosen, share in _own_share(window):
                    batch, trunk = held.batch(chosen)
                    loss = share * cross_entropy(ranker.head_logits(batch, trunk), places[chosen].to(trunk.device))
                    (loss / settings.gradient_accumulation).backward()
                    found[number] = float(loss.detach())
                found = processes.total(found)
                losses += [finite(loss, "the ranker", "ranker.learning_rate") for loss in found.tolist()]
                processes.sum_gradients(parameters)
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                optimiser.zero_grad()
                schedule.step()
                record.steps += 1
                meter.advance(sum(map(len, window)), f"loss {np.mean(losses):.3f}")
            record.training_loss.append(float(np.mean(losses)))
            if _validate(ranker, held_validation, validation.places, record):
                record.best_epoch, best = epoch, ranker.trained_state()
            if epoch - record.best_epoch >= settings.patience:
                break
    ranker.load_trained_state(best)
    record.scale, record.arithmetic = float(ranker.scale.detach()), ranker.dtype
    return record


def _own_share(window: Sequence[list[int]]) -> Iterator[tuple[int, list[int], float]]:
    """This process's users of one step: (number of the batch, its rows that are this process's, their share of it).

    A batch's loss is the mean over its users, so a part counts by its share. One process has every batch, whole.
    """
    mine = processes.own_slice(sum(map(len, window)))
    before = 0  # users in earlier batches
    for number, rows in enumerate(window):
        own = rows[max(mine.start - before, 0) : max(mine.stop - before, 0)]
        if own:
            yield number, own, len(own) / len(rows)
        before += len(rows)


def save_ranker(ranker: Ranker, directory: Path) -> None:
    """Adapters in peft's layout, the head beside them."""
    for adapter in ranker.language_model.peft_config.values():
        adapter.target_modules = sorted(adapter.target_modules)  # peft keeps a set: its order changes from run to run
    ranker.language_model.save_pretrained(directory)
    head = {
        "scale": ranker.scale.detach(),
        "weight": ranker.linear.weight.detach(),
        "bias": ranker.linear.bias.detach(),
    }
    save_file({name: value.contiguous().cpu() for name, value in head.items()}, directory / "head.safetensors")


def load_ranker(model: Path, directory: Path, settings: RankerSettings) -> Ranker:
    """The ranker that `save_ranker` wrote into `directory`, over the same prepared model."""
    ranker = Ranker(model, settings, 0, adapt=False)
    ranker.attach(directory)
    with torch.no_grad():
        for name, value in load_file(directory / "head.safetensors").items():
            target = ranker.scale if name == "scale" else getattr(ranker.linear, name)
            target.copy_(value)
    return ranker


class _Held:
    """The trunk's states of many questions, (L_i, d) each, computed once and kept off the accelerator.

    Processes that train together compute a part each and keep all: who needs which changes from epoch to epoch.
    With no frozen layer there is nothing to save: the states are then made anew for every batch.
    """

    def __init__(self, ranker: Ranker, questions: Sequence[Question], what: str) -> None:
        self.packed = [pack(question, ranker.tokenizer, ranker.settings.max_tokens) for question in questions]
        self.ranker = ranker
        self.states: list[torch.Tensor] = [torch.empty(0)] * len(self.packed)
        if ranker.frozen_layers == 0:
            return
        ranker.eval()
        batches = _length_batches(self.packed, ranker.settings.batch_users)
        mine = processes.own(batches)
        with progress(what, sum(map(len, mine)), "users") as meter:
            for rows in mine:
                states = ranker.trunk(collate([self.packed[row] for row in rows]))
                for row, state in zip(rows, states, strict=True):
                    # The copy lets go of the padding.
                    self.states[row] = state[: _length(self.packed[row])].clone().cpu()
                meter.advance(len(rows))
        for number, rows in enumerate(batches):
            held = processes.from_owner([self.states[row] for row in rows], processes.owner(number))
            for row, state in zip(rows, held, strict=True):
                self.states[row] = state

    def batch(self, rows: Sequence[int]) -> tuple[Batch, torch.Tensor]:
        """The rows' batch and their states, (B, L, d)."""
        batch = collate([self.packed[row] for row in rows])
        if self.ranker.frozen_layers == 0:
            return batch, self.ranker.trunk(batch)
        length = batch.tokens.shape[1]
        states = [pad(self.states[row], (0, 0, 0, length - len(self.states[row]))) for row in rows]
        return batch, torch.stack(states).to(self.ranker.scale.device)


def _validate(ranker: Ranker, held: _Held, places: Sequence[int], record: TrainingRecord) -> bool:
    """Append validation HR@1 (ties against the model) and loss; True where both together are the best so far."""
    ranker.eval()
    hits, losses = 0, 0.0
    target = torch.tensor(list(places))
    batches = processes.own(_length_batches(held.packed, ranker.settings.batch_users))
    with progress("ranker: validation", sum(map(len, batches)), "users") as meter, torch.inference_mode():
        for rows in batches:
            batch, trunk = held.batch(rows)
            logits = ranker.head_logits(batch, trunk).cpu()
            own = logits.gather(1, target[rows][:, None])
            hits += int(((logits >= own).sum(1) == 1).sum())
            losses += float(cross_entropy(logits, target[rows], reduction="sum"))
            meter.advance(len(rows))
    hits, losses = processes.total(np.array([hits, losses])).tolist()
    hr1, loss = hits / len(places), losses / len(places)
    log.info("ranker: validation HR@1 %.4f, loss %.4f", hr1, loss)
    # Among equal hit rates (they move in steps of one user) the lower loss is the better ranker.
    better = not record.validation_hr1 or (hr1, -loss) > max(
        zip(record.validation_hr1, [-value for value in record.validation_loss], strict=True)
    )
    record.validation_hr1.append(hr1)
    record.validation_loss.append(loss)
    return better


def _length(question: PackedQuestion) -> int:
    return len(question.prefix) + sum(map(len, question.candidates))


def _length_batches(packed: Sequence[PackedQuestion], size: int) -> list[list[int]]:
    """Rows in batches of like length, so that little is padding."""
    order = sorted(range(len(packed)), key=lambda row: (_length(packed[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def _shuffled_batches(packed: Sequence[PackedQuestion], size: int, generator: np.random.Generator) -> list[list[int]]:
    """One epoch: rows of like length share a batch, lengths are blurred and batches shuffled, so epochs differ."""
    blur = [_length(question) * generator.uniform(0.85, 1.15) for question in packed]
    order = np.argsort(blur, kind="stable").tolist()
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[i] for i in generator.permutation(len(batches))]
