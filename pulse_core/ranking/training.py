"""Training f_phi by Eq. (3), and scoring with it.

The layers below the adapted ones never change, so what they make of each training user is computed once and kept;
epochs then cost the top layers alone. The result equals computing everything anew (tests/ranking).
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from pulse_core import processes
from pulse_core.checkpoints import Checkpoint, optimiser_tensors, restore_optimiser
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.ranking.batches import length_batches, own_share, shuffled_batches
from pulse_core.ranking.kept_trunk import KeptTrunk
from pulse_core.ranking.layout import collate
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
    batches = processes.own(length_batches(packed, ranker.settings.batch_users))
    with progress(what, sum(map(len, batches)), "users") as meter, torch.inference_mode():
        for rows in batches:
            scores[rows] = ranker(collate([packed[row] for row in rows])).cpu().numpy()
            meter.advance(len(rows))
    return processes.total(scores)


def train(
    ranker: Ranker, training: Asked, validation: Asked, seed: int, checkpoint: Checkpoint | None = None
) -> TrainingRecord:
    """Fit the adapters and the head; the ranker ends with the weights of its best validation HR@1.

    Before any step counts as epoch 0: a ranker that training made worse falls back to it, and training.json shows it.
    Processes that train together (`pulse_core.processes`) must all call this with the same arguments: the users of each
    step are shared out among them, and they decide everything from common numbers. If it is killed, the next call with
    the same arguments and a `checkpoint` in the same directory goes on and ends with the bytes of an undisturbed one.

    Raises:
        InputError: no training or no validation examples, or no room for `KeptTrunk`.
    """
    for name, asked in (("train", training), ("validation", validation)):
        if not asked.questions:
            raise InputError(f"the ranker has no {name} examples: raise split.sample_users.{name}")
    run = _Run(ranker, training, validation, seed, checkpoint or Checkpoint())
    run.go_on()
    ranker.load_trained_state(run.best)
    run.record.scale, run.record.arithmetic = float(ranker.scale.detach()), ranker.dtype
    return run.record


class _Run:
    """A training, from where its checkpoint says it stood."""

    def __init__(self, ranker: Ranker, training: Asked, validation: Asked, seed: int, checkpoint: Checkpoint) -> None:
        self.ranker, self.settings, self.seed, self.checkpoint = ranker, ranker.settings, seed, checkpoint
        self.training, self.validation = training, validation
        self.places = torch.tensor(list(training.places))
        self.users = len(training.questions)
        batches = math.ceil(self.users / self.settings.batch_users)
        self.epoch_steps = math.ceil(batches / self.settings.gradient_accumulation)
        groups = ranker.parameter_groups()
        self.peaks = [group["lr"] for group in groups]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay)
        self.record = TrainingRecord(train_examples=self.users, validation_examples=len(validation.questions))
        self.losses: list[float] = []  # of this epoch's batches so far
        self.best: dict[str, torch.Tensor] = {}
        if state := checkpoint.resume(self.settings.model_dump(), ranker.dtype, seed, training, validation):
            self.record, self.losses = TrainingRecord(**state.numbers["record"]), state.numbers["losses"]
            self.best = state.tensors["best"]
            ranker.load_trained_state(state.tensors["weights"])
            restore_optimiser(self.optimiser, state.tensors.get("optimiser", {}))

    def keep(self, finished: bool = False) -> None:
        """Write where the training stands, if it is time to or it is finished."""
        if self.checkpoint.due() or (finished and self.checkpoint.directory and processes.rank() == 0):
            numbers = {"record": asdict(self.record), "losses": self.losses}
            weights, moments = self.ranker.trained_state(), optimiser_tensors(self.optimiser)
            self.checkpoint.write(numbers, weights=weights, best=self.best, optimiser=moments)

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.record.training_loss)

    @property
    def finished(self) -> bool:
        """All epochs done, or too many that made nothing better."""
        return self.epochs == self.settings.epochs or self.epochs - self.record.best_epoch >= self.settings.patience

    def go_on(self) -> None:
        """Train to the end."""
        if self.finished:
            return
        beside = self.checkpoint.directory
        with (
            KeptTrunk(self.ranker, self.validation.questions, "ranker: validation trunk", beside) as validation,
            KeptTrunk(self.ranker, self.training.questions, "ranker: training trunk", beside) as training,
            progress("ranker: training", self.settings.epochs * self.users, "users") as meter,
        ):
            if not self.record.validation_hr1:
                self._look(validation)
            meter.advance(self.epochs * self.users, skipped=True)
            while not self.finished:
                steps = self._steps(training.packed)
                done = self.record.steps - self.epochs * self.epoch_steps
                meter.advance(_users(steps[:done]), skipped=True)
                self.ranker.train()
                for step in steps[done:]:
                    self._step(training, step)
                    meter.advance(_users([step]), f"loss {np.mean(self.losses):.3f}")
                    self.keep()
                self.record.training_loss.append(float(np.mean(self.losses)))
                self.losses = []
                self._look(validation)
            self.keep(finished=True)

    def _steps(self, packed: Sequence[PackedQuestion]) -> list[list[list[int]]]:
        """The next epoch: of each step its batches of rows."""
        order = np.random.default_rng(derive_seed(self.seed, "ranker-order", self.epochs + 1))
        batches = shuffled_batches(packed, self.settings.batch_users, order)
        size = self.settings.gradient_accumulation
        return [batches[start : start + size] for start in range(0, len(batches), size)]

    def _step(self, training: KeptTrunk, step: Sequence[list[int]]) -> None:
        """One step of the optimiser; each process does its share, and all know every batch's loss."""
        found = np.zeros(len(step))
        # A seed of its own: the step is the same wherever the process started.
        dropout = derive_seed(self.seed, "ranker-dropout", self.record.steps)
        with processes.seeded_dropout(dropout, self.ranker.scale.device):
            for number, rows, share in own_share(step):
                batch, trunk = training.batch(rows)
                loss = share * cross_entropy(self.ranker.head_logits(batch, trunk), self.places[rows].to(trunk.device))
                (loss / self.settings.gradient_accumulation).backward()
                found[number] = float(loss.detach())
        found = processes.total(found)
        self.losses += [finite(loss, "the ranker", "ranker.learning_rate") for loss in found.tolist()]
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        processes.sum_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        total = self.settings.epochs * self.epoch_steps
        factor = warmup_cosine(self.record.steps, total, self.settings.warmup_share)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.record.steps += 1

    def _look(self, validation: KeptTrunk) -> None:
        """Validate, and remember the weights if they are the best."""
        if _validate(self.ranker, validation, self.validation.places, self.record):
            self.record.best_epoch, self.best = self.epochs, self.ranker.trained_state()
        self.keep()


def _users(steps: Sequence[Sequence[list[int]]]) -> int:
    return sum(len(rows) for step in steps for rows in step)


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


def _validate(ranker: Ranker, held: KeptTrunk, places: Sequence[int], record: TrainingRecord) -> bool:
    """Append validation HR@1 (ties against the model) and loss; True where both together are the best so far."""
    ranker.eval()
    hits, losses = 0, 0.0
    target = torch.tensor(list(places))
    batches = processes.own(length_batches(held.packed, ranker.settings.batch_users))
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
