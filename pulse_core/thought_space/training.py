"""Training E1 and E2 together on Eq. (1) (paper, sections 4.1 and 5.3), and the pair that comes out of it."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pulse_core import processes
from pulse_core.artifacts import write_json
from pulse_core.checkpoints import Checkpoint, State, optimiser_tensors, restore_optimiser
from pulse_core.encoder import Encoder, load_encoder
from pulse_core.errors import InputError
from pulse_core.progress import progress
from pulse_core.schedules import finite, warmup_cosine
from pulse_core.seeding import derive_seed
from pulse_core.thought_space.examples import TrainingExample, batches, held_out_users, without_target
from pulse_core.thought_space.loss import draw_negatives, info_nce, may_contrast
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.validation import Validation

log = logging.getLogger("pulse")


@dataclass
class TrainedThoughtSpace:
    """The two encoders and what was measured while they were trained."""

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
    """(E1, E2) as `TrainedThoughtSpace.save` wrote them, with their own length and pooling, for frozen use."""
    directory = Path(directory)
    return (
        load_encoder(directory / "rationale_encoder", dtype),
        load_encoder(directory / "history_encoder", dtype),
    )


def _optimiser(encoders: Sequence[Encoder], settings: ThoughtSpaceSettings) -> torch.optim.AdamW:
    parameters = [p for encoder in encoders for p in encoder.model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    # Fused: one pass over the weights, a third of the time of one operation after the other on a CPU.
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _weights(encoders: Sequence[Encoder]) -> dict[str, torch.Tensor]:
    """Both encoders' weights by number and name, not copied."""
    return dict(torch.nn.ModuleList([encoder.model for encoder in encoders]).named_parameters())


def _load(encoders: Sequence[Encoder], weights: dict[str, torch.Tensor]) -> None:
    own = _weights(encoders)
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def train_thought_space(
    examples: Sequence[TrainingExample],
    settings: ThoughtSpaceSettings,
    seed: int,
    model: str | Path,
    checkpoint: Checkpoint | None = None,
) -> TrainedThoughtSpace:
    """Align E1 and E2, both started from `model`, on the examples (of one domain or several, in any order).

    A share of users is held out; retrieval, alignment and uniformity on them are measured before training, after
    every epoch and for the epoch that is kept (best validation MRR on history-only text, the text selection reads;
    so `after` is the best of several looks at the same users, and a little flattering when they are few).
    The result depends on the set of examples, the settings and the seed alone, on one machine. Processes that train
    together (`pulse_core.processes`) must all call this with the same arguments: they take the same steps over the same
    batches, and negatives come from the whole batch. If it is killed, the next call with the same arguments and a
    `checkpoint` in the same directory goes on and ends with the bytes of an undisturbed one, `timing` aside.

    Raises:
        InputError: fewer than two users are left to train on.
    """
    examples = sorted(examples, key=lambda e: (e.domain, e.user, e.history_only, e.with_target, e.rationale))
    held = held_out_users(examples, settings.validation_share, seed)
    train = [example for example in examples if example.user not in held]
    if len({example.user for example in train}) < 2:
        raise InputError(
            f"thought_space: {len({e.user for e in train})} user(s) with a positive rationale to train on, at least 2 "
            "are needed: sample more users, or lower thought_space.validation_share"
        )
    encoders = rationale_encoder, history_encoder = (
        Encoder(model, settings.max_tokens, settings.pooling, settings.dtype),
        Encoder(model, settings.max_tokens, settings.pooling, settings.dtype),
    )
    validation = Validation([example for example in examples if example.user in held], settings, seed)
    before = validation.measure(rationale_encoder, history_encoder)
    checkpoint = checkpoint or Checkpoint()
    state = checkpoint.resume(settings.model_dump(), rationale_encoder.dtype, seed, examples)
    history, seconds = _fit(train, encoders, settings, seed, validation, checkpoint, state)
    report = {
        "settings": settings.model_dump(),
        "seed": seed,
        "users": {"training": len({e.user for e in train}), "validation": len(held)},
        "examples": {"training": _per_domain(train), "validation": _per_domain(validation.examples)},
        "truncated_share": _truncated_share(train, history_encoder),
        "before": before,
        "after": validation.measure(rationale_encoder, history_encoder),
        **history,
        # Apart from the rest: the one part that two equal runs do not share.
        "timing": {"seconds": seconds, "seconds_per_step": seconds / max(history["steps"], 1)},
    }
    return TrainedThoughtSpace(rationale_encoder, history_encoder, report)


def _per_domain(examples: Sequence[TrainingExample]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.domain] = counts.get(example.domain, 0) + 1
    return counts


def _truncated_share(examples: Sequence[TrainingExample], encoder: Encoder) -> float:
    """The share of behaviour texts (with target) that are longer than the encoder reads."""
    lengths = [len(ids) for ids in encoder.tokenizer([e.with_target for e in examples])["input_ids"]]
    share = float(np.mean([length > encoder.max_tokens for length in lengths]))
    if share > 0.1:
        log.warning(
            "thought space: %.0f %% of behaviour texts exceed thought_space.max_tokens %d; their ends are not read",
            100 * share,
            encoder.max_tokens,
        )
    return share


def _negatives(
    batch: Sequence[TrainingExample], settings: ThoughtSpaceSettings, generator: np.random.Generator
) -> torch.Tensor:
    """Each user's negatives among the batch's rationales, (B, M) int64."""
    allowed = may_contrast(
        [e.user for e in batch],
        [e.rationale for e in batch],
        [e.domain for e in batch],
        inter_domain=settings.inter_domain_negatives,
    )
    return torch.from_numpy(draw_negatives(allowed, settings.negatives, generator))


def _embed(encoder: Encoder, token_ids: list[list[int]]) -> torch.Tensor:
    """A batch's embeddings, (B, dim). Of several processes each computes its own rows, and its gradients are theirs."""
    rows = token_ids[processes.own_slice(len(token_ids))]
    # A batch smaller than the number of processes leaves some without a row.
    mine = encoder.embed(rows) if rows else torch.zeros((0, encoder.dim), device=encoder.device, requires_grad=True)
    return processes.whole_batch(mine, len(token_ids))


def _fit(
    train: Sequence[TrainingExample],
    encoders: tuple[Encoder, Encoder],
    settings: ThoughtSpaceSettings,
    seed: int,
    validation: Validation,
    checkpoint: Checkpoint,
    state: State | None,
) -> tuple[dict[str, Any], float]:
    """Run the epochs that are left, put the best epoch's weights back, and return steps, kept epoch and curve, and the
    seconds it all took."""
    rationale_encoder, history_encoder = encoders
    rationale_ids = rationale_encoder.tokens([e.rationale for e in train])
    full_ids = history_encoder.tokens([e.with_target for e in train])
    history_ids = history_encoder.tokens([e.history_only for e in train])
    per_epoch = max(len(train) // settings.batch_size, 1)
    total = min(settings.epochs * per_epoch, settings.max_steps or math.inf)
    optimiser = _optimiser(encoders, settings)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    device = rationale_encoder.device
    curve: list[dict[str, Any]] = []
    losses: list[float] = []  # of this epoch's steps so far
    best: dict[str, torch.Tensor] = {}
    step, best_mrr, best_epoch, started = 0, -1.0, 0, time.monotonic()
    if state:
        step, losses, curve = (state.numbers[name] for name in ("step", "losses", "curve"))
        best_mrr, best_epoch = state.numbers["best_mrr"], state.numbers["best_epoch"]
        started -= state.numbers["seconds"]
        _load(encoders, state.tensors["weights"])
        best = state.tensors.get("best", {})
        restore_optimiser(optimiser, state.tensors["optimiser"])

    def keep() -> None:
        if checkpoint.due():
            numbers = {"step": step, "losses": losses, "curve": curve, "best_mrr": best_mrr, "best_epoch": best_epoch}
            numbers["seconds"] = time.monotonic() - started
            moments = optimiser_tensors(optimiser)
            checkpoint.write(numbers, weights=_weights(encoders), best=best, optimiser=moments)

    with progress("thought space", int(total), "steps") as meter:
        meter.advance(step, skipped=True)
        for epoch in range(len(curve) + 1, math.ceil(total / per_epoch) + 1):
            if settings.patience is not None and epoch - 1 - best_epoch >= settings.patience:
                break
            generator = np.random.default_rng(derive_seed(seed, "thought-space", epoch))
            dropped = without_target(len(train), settings.target_dropout, generator)
            for batch in batches(len(train), settings.batch_size, generator)[step - (epoch - 1) * per_epoch :]:
                if step >= total:
                    break
                for group in optimiser.param_groups:
                    group["lr"] = settings.learning_rate * warmup_cosine(step, int(total), settings.warmup_share)
                # Seeds of its own: the step is the same wherever the process started.
                draw = np.random.default_rng(derive_seed(seed, "thought-space", "negatives", step))
                negatives = _negatives([train[row] for row in batch], settings, draw).to(device)
                for encoder in encoders:
                    encoder.model.train()
                told = [(history_ids if dropped[row] else full_ids)[row] for row in batch]
                with processes.seeded_dropout(derive_seed(seed, "thought-space", "dropout", step), device):
                    z_history = _embed(history_encoder, told)
                    z_positive = _embed(rationale_encoder, [rationale_ids[row] for row in batch])
                loss = info_nce(z_history, z_positive, negatives, settings.temperature)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                processes.sum_gradients(parameters)
                torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
                optimiser.step()
                step += 1
                losses.append(finite(float(loss.detach()), "the Thought Space", "thought_space.learning_rate"))
                meter.advance(1, f"loss {losses[-1]:.3f}")
                keep()
            for encoder in encoders:
                encoder.model.eval()
            measured = validation.measure(rationale_encoder, history_encoder, brief=True)
            curve.append({"epoch": epoch, "step": step, "loss": float(np.mean(losses)), "validation": measured})
            mrr = measured["history_only"]["mrr"] if measured else 0.0
            log.info("thought space: epoch %d, loss %.4f, validation MRR %.4f", epoch, curve[-1]["loss"], mrr)
            if mrr > best_mrr or not measured:
                best_mrr, best_epoch = mrr, epoch
                best = {name: value.detach().clone() for name, value in _weights(encoders).items()}
            losses = []
            keep()
    if best_epoch != curve[-1]["epoch"]:
        _load(encoders, best)
    return {"steps": step, "kept_epoch": best_epoch, "curve": curve}, time.monotonic() - started
