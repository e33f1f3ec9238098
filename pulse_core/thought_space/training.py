"""Joint training of E1 and E2 on Eq. (1) (paper, sections 4.1 and 5.3); saving and loading."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pulse_core import processes
from pulse_core.artifacts import write_json
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, load_encoder
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed
from pulse_core.thought_space.examples import TrainingExample, batches, held_out_users, without_target
from pulse_core.thought_space.loss import draw_negatives, info_nce, may_contrast
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.validation import Validation
from pulse_core.training_loop import Figures, Schedule, Training, finite, fit, warmup_cosine

log = logging.getLogger("pulse")


@dataclass
class TrainedThoughtSpace:
    """E1, E2 and the report of their training."""

    rationale_encoder: Encoder
    history_encoder: Encoder
    report: dict[str, Any]

    def save(self, directory: str | Path) -> None:
        """Write rationale_encoder/, history_encoder/ and training.json into `directory`, each whole or not at all."""
        directory = Path(directory)
        self.rationale_encoder.save(directory / "rationale_encoder")
        self.history_encoder.save(directory / "history_encoder")
        write_json(directory / "training.json", self.report)


def load_thought_space(directory: str | Path, dtype: str = "bfloat16") -> tuple[Encoder, Encoder]:
    """(E1, E2) as `TrainedThoughtSpace.save` wrote them, with their saved length and pooling, for inference."""
    directory = Path(directory)
    return load_encoder(directory / "rationale_encoder", dtype), load_encoder(directory / "history_encoder", dtype)


def train_thought_space(
    examples: Sequence[TrainingExample],
    settings: ThoughtSpaceSettings,
    seed: int,
    model: str | Path,
    checkpoint: Checkpoint | None = None,
) -> TrainedThoughtSpace:
    """Align E1 and E2, both initialised from `model`, on the examples (of one or more domains, in any order).

    A share of users is held out. Retrieval, alignment and uniformity on them are measured before training, after every
    epoch and for the epoch that is kept: the best by validation MRR on history-only text, the text selection reads. So
    `after` is the best of several measurements on the same users, slightly optimistic if they are few.
    On one machine, the result depends only on the set of examples, the settings and the seed. Processes that train
    together (`pulse_core.processes`) must all call this with the same arguments; negatives come from the whole batch.
    A killed call resumes from `checkpoint` and gives the same bytes, except `timing`.

    Raises:
        InputError: fewer than two users are left to train on.
    """
    examples = sorted(examples, key=lambda e: (e.domain, e.user, e.history_only, e.with_target, e.rationale))
    held_out = held_out_users(examples, settings.validation_share, seed)
    train = [example for example in examples if example.user not in held_out]
    if len({example.user for example in train}) < 2:
        raise InputError(
            f"thought_space: {len({e.user for e in train})} user(s) with a positive rationale to train on, at least 2 "
            "are needed: sample more users, or lower thought_space.validation_share"
        )
    rationale_encoder, history_encoder = (
        Encoder(model, settings.max_tokens, settings.pooling, settings.dtype) for _ in range(2)
    )
    validation = Validation([example for example in examples if example.user in held_out], settings, seed)
    before = validation.measure(rationale_encoder, history_encoder)
    determined_by = (settings.model_dump(), rationale_encoder.dtype, seed, examples)
    training = _fit(train, rationale_encoder, history_encoder, settings, seed, validation, checkpoint, determined_by)
    epoch_steps, total = max(len(train) // settings.batch_size, 1), settings.steps(len(train))
    validated = {figures["epoch"]: figures["validation"] for figures in training.curve}
    report = {
        "settings": settings.model_dump(),
        "seed": seed,
        "users": {"training": len({e.user for e in train}), "validation": len(held_out)},
        "examples": {
            "training": Counter(e.domain for e in train),
            "validation": Counter(e.domain for e in validation.examples),
        },
        "truncated_share": _truncated_share(train, history_encoder),
        "before": before,
        "after": validation.measure(rationale_encoder, history_encoder),
        "steps": training.steps,
        "kept_epoch": training.best_epoch,
        "curve": [
            {"epoch": n, "step": min(n * epoch_steps, total), "loss": loss, "validation": validated.get(n, {})}
            for n, loss in enumerate(training.epoch_losses, 1)
        ],
        # Kept apart: the only part that differs between equal runs.
        "timing": {"seconds": training.seconds, "seconds_per_step": training.seconds / max(training.steps, 1)},
    }
    return TrainedThoughtSpace(rationale_encoder, history_encoder, report)


def _truncated_share(examples: Sequence[TrainingExample], encoder: Encoder) -> float:
    """The share of behaviour texts (with target) that are longer than the encoder reads."""
    lengths = [len(ids) for ids in encoder.tokenizer([e.with_target for e in examples])["input_ids"]]
    share = float(np.mean([length > encoder.max_tokens for length in lengths]))
    if share > 0.1:
        log.warning(
            "thought space: %.0f %% of behaviour texts exceed thought_space.max_tokens %d; their ends are cut off",
            100 * share,
            encoder.max_tokens,
        )
    return share


def _embed(encoder: Encoder, token_ids: list[list[int]]) -> torch.Tensor:
    """A batch's embeddings, (B, dim). Each process computes its own rows and their gradients."""
    rows = token_ids[processes.row_slice(len(token_ids))]
    # A batch smaller than the number of processes leaves some without a row.
    local = encoder.embed(rows) if rows else torch.zeros((0, encoder.dim), device=encoder.device, requires_grad=True)
    return processes.whole_batch(local, len(token_ids))


def _fit(
    train: Sequence[TrainingExample],
    rationale_encoder: Encoder,
    history_encoder: Encoder,
    settings: ThoughtSpaceSettings,
    seed: int,
    validation: Validation,
    checkpoint: Checkpoint | None,
    determined_by: Sequence[object],
) -> Training:
    rationale_ids = rationale_encoder.tokens([e.rationale for e in train])
    full_ids = history_encoder.tokens([e.with_target for e in train])
    history_ids = history_encoder.tokens([e.history_only for e in train])
    epoch_steps = max(len(train) // settings.batch_size, 1)
    total = settings.steps(len(train))
    encoders = torch.nn.ModuleList([rationale_encoder.model, history_encoder.model])
    trained = [p for p in encoders.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    # Fused: one pass over the weights, three times as fast on a CPU as separate operations.
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    parameters, device = [*matrices, *vectors], rationale_encoder.device

    def epoch_batches(epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows of each batch, and which of them lose the target."""
        generator = np.random.default_rng(derive_seed(seed, "thought-space", epoch))
        dropped = without_target(len(train), settings.target_dropout, generator)
        drawn = batches(len(train), settings.batch_size, generator)[: total - (epoch - 1) * epoch_steps]
        return [(rows, dropped[rows]) for rows in drawn]

    def step(number: int, batch: tuple[np.ndarray, np.ndarray]) -> list[float]:
        generator = np.random.default_rng(derive_seed(seed, "thought-space", "negatives", number))
        allowed = may_contrast([train[row] for row in batch[0]], inter_domain=settings.inter_domain_negatives)
        negatives = torch.from_numpy(draw_negatives(allowed, settings.negatives, generator)).to(device)
        history = [(history_ids if dropped else full_ids)[row] for row, dropped in zip(*batch, strict=True)]
        with processes.seeded_dropout(derive_seed(seed, "thought-space", "dropout", number), device):
            z_history = _embed(history_encoder, history)
            z_positive = _embed(rationale_encoder, [rationale_ids[row] for row in batch[0]])
        loss = info_nce(z_history, z_positive, negatives, settings.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        processes.sum_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
        optimiser.step()
        return [finite(float(loss.detach()), "the Thought Space", "thought_space.learning_rate")]

    def validate() -> Figures:
        figures = validation.measure(rationale_encoder, history_encoder, brief=True)
        log.info("thought space: validation MRR %.4f", figures["history_only"]["mrr"])
        return {"validation": figures}

    return fit(
        "thought space",
        encoders,
        optimiser,
        epoch_batches,
        step,
        validate if len(validation.examples) >= 2 else None,
        Schedule(math.ceil(total / epoch_steps), 1, settings.patience),
        merit=lambda figures: figures["validation"]["history_only"]["mrr"],
        rate=lambda number: warmup_cosine(number, total, settings.warmup_share),
        total=total,
        unit="steps",
        checkpoint=checkpoint,
        determined_by=determined_by,
    )
