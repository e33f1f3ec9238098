"""The stages that train or ask a model without writing: SASRec, Thought Space, selection, rankers."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from pulse_core.planning.counting import filler
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import encoders_training_memory, encoding_memory, ranker_memory
from pulse_core.planning.rates import lora_operations
from pulse_core.planning.shapes import forward_operations, lora_parameters, parameters
from pulse_core.planning.stage_plan import Planner, StagePlan
from pulse_core.ranking.packing import pack
from pulse_core.ranking.questions import make_questions
from pulse_core.rationales.texts import behaviour_text

REVIEWS_PER_SECOND = 100_000  # of the corpus stage, about (docs/performance.md)
PREFIX_WORDS = 20  # tokens of a question beside titles and rationale
INTERACTION_BYTES = 50  # of the corpus's tables and examples: Gift Cards 50, with their short texts


def corpus_stage(data: DomainData) -> StagePlan:
    """Raw reviews to tables, by the interactions that remain (a raw file may hold five times as many); on the CPU."""
    count = data.size.interactions
    disk = float(INTERACTION_BYTES * count)
    return StagePlan(data.name, "corpus", "rows", count, count / REVIEWS_PER_SECOND, disk, on_card=False)


def sasrec_stage(planner: Planner, data: DomainData) -> StagePlan:
    """The sequence model and one more for each fold; on the CPU, as its rule asks for no card."""
    settings, size = planner.config.sasrec, data.size
    positions = max(size.interactions - 3 * size.users, size.users)
    # The paper's scores over all items (ce), or one negative (bce), and 12 d^2 weights a block; backward is twice that.
    items = size.items if settings.loss == "ce" else 1
    operations = 6 * positions * settings.dimension * (items + 12 * settings.dimension * settings.blocks)
    models = 1 + max(settings.cross_fit_folds - 1, 0)  # each fold's model leaves its own users out
    epochs = settings.epochs * planner.config.plan.epochs_share
    seconds = operations * epochs * models / (1e12 * planner.config.plan.hardware.sasrec_tflops)
    weights = 4 * settings.dimension * (size.items + settings.max_length) * (1 + settings.cross_fit_folds)
    disk = weights + 4 * settings.dimension * data.total
    seconds = planner.corrected("sasrec", seconds)
    return StagePlan(data.name, "sasrec", "users", size.users, seconds, disk, on_card=False, start_seconds=6.0)


def _mean_and_longest(lengths: list[float], limit: int) -> tuple[float, int]:
    cut = [min(length, limit) for length in lengths]
    return float(np.mean(cut)), math.ceil(max(cut))


def _behaviour_tokens(planner: Planner, data: DomainData, limit: int) -> tuple[float, int]:
    """Mean and longest behaviour text of the sample, in the encoder's tokens."""
    settings, lengths = planner.config.rationales, planner.encoder_lengths
    examples = data.sample
    shown = {
        "most": settings.behaviour_items,
        "title_chars": settings.title_chars,
        "review_chars": settings.review_chars,
    }
    texts = [
        behaviour_text(data.shop, user, history, None, **shown)
        for user, history in zip(examples["user"], examples["history"], strict=True)
    ]
    return _mean_and_longest([lengths.tokens(text) + 2 for text in texts], limit)


def thought_space_stage(planner: Planner, data: DomainData) -> StagePlan:
    """Both encoders, trained on the domain's examples and those of the domains that share its space."""
    settings, shape = planner.config.thought_space, planner.encoder
    sharing = {data.name, *settings.domains}
    users = sum(planner.domains[name].examples["train"] for name in sharing)
    held = round(settings.validation_share * users)
    per_epoch = max((users - held) // settings.batch_size, 1)
    epochs = settings.epochs * planner.config.plan.epochs_share
    steps = min(epochs * per_epoch, settings.max_steps or math.inf)
    answer = planner.answer_tokens(data, "positive_rationales", planner.config.rationales.sampling.max_new_tokens)
    rationale, behaviour = min(answer, settings.max_tokens), _behaviour_tokens(planner, data, settings.max_tokens)
    width = planner.width(settings.dtype)
    both = sum(forward_operations(shape, length, length) for length in (rationale, behaviour[0]))
    seen = 3 * steps * min(settings.batch_size, users - held) + (epochs + 2) * held
    longest = min(planner.config.rationales.sampling.max_new_tokens, settings.max_tokens)
    return StagePlan(
        domain=data.name,
        name="thought_space",
        unit="users",
        count=users,
        seconds=planner.corrected("thought_space", planner.machine.seconds(seen * both, width)),
        disk=2 * 4 * parameters(shape),
        memory=encoders_training_memory(
            shape,
            width,
            settings.batch_size,
            longest,
            behaviour[1],
            planner.mask_width,
            fused=planner.carded,
            processes=settings.processes,
        ),
        jobs=settings.processes,
        start_seconds=planner.config.plan.hardware.start_seconds,
    )


def selection_stage(planner: Planner, data: DomainData, name: str) -> StagePlan:
    """All leaves and behaviour texts through the frozen Thought Space."""
    config, shape = planner.config, planner.encoder
    leaves = math.prod(config.tree.branching)
    answer = planner.answer_tokens(data, "tree", config.tree.sampling.max_new_tokens)
    limit = config.thought_space.max_tokens
    behaviour, longest = _behaviour_tokens(planner, data, limit)
    leaf = min(answer, limit)
    each = leaves * forward_operations(shape, leaf, leaf) + forward_operations(shape, behaviour, behaviour)
    width = planner.width(config.selection.dtype)
    return StagePlan(
        domain=data.name,
        name=name,
        unit="texts",
        count=(leaves + 1) * data.total,
        seconds=planner.corrected(name, planner.machine.seconds(data.total * each, width)),
        disk=data.total * leaves * (0.4 * answer * config.plan.characters_per_token + 20),
        memory=encoding_memory(shape, width, 2, config.selection.batch_size, longest),
        start_seconds=config.plan.hardware.start_seconds,
    )


@dataclass(frozen=True)
class _Packed:
    """Tokens of packed questions: the sample's mean, and the longest that the settings let through."""

    mean: float
    mean_candidates: float
    longest: int
    longest_candidates: int


def _packed(planner: Planner, data: DomainData, *, reason: bool) -> _Packed:
    config, settings, lengths = planner.config, planner.config.ranker, planner.slm_lengths
    tokens = planner.answer_tokens(data, "tree", config.tree.sampling.max_new_tokens)
    told = filler(round(tokens * config.plan.characters_per_token)) + "." if reason else None
    keys = data.candidates[["user", "split", "position"]].itertuples(index=False, name=None)
    rationales = dict.fromkeys(keys, told) if told else None
    questions = make_questions(data.sample, data.candidates, rationales, data.shop, settings)

    def tokenizer(text: str, **_: object) -> dict[str, list]:
        # `pack` only counts; pieces of the right number stand for tokens where no tokenizer is.
        return {"input_ids": [0] * math.ceil(lengths.tokens(text))}

    packed = [pack(question, tokenizer, settings.max_tokens) for question in questions]
    candidates = [sum(map(len, question.candidates)) for question in packed]
    whole = [len(question.prefix) + own for question, own in zip(packed, candidates, strict=True)]
    # Every title as long as it may be, and as much of the history as max_tokens holds.
    title = math.ceil(settings.title_chars / config.plan.characters_per_token) + 2
    prefix = settings.history_items * title + PREFIX_WORDS + (config.tree.sampling.max_new_tokens if reason else 0)
    longest_candidates = max(config.candidates.count * title, *candidates)
    longest = max(min(prefix, settings.max_tokens - title) + longest_candidates, *whole)
    return _Packed(float(np.mean(whole)), float(np.mean(candidates)), longest, longest_candidates)


def ranker_stage(planner: Planner, data: DomainData, name: str, *, reason: bool) -> StagePlan:
    """One variant: training with a validation after each epoch, then scoring both held-out splits."""
    config, shape, settings = planner.config, planner.slm, planner.config.ranker
    packed = _packed(planner, data, reason=reason)
    mean = packed.mean
    candidates, predicted = (packed.mean_candidates, packed.longest_candidates) if settings.head != "scalar" else (0, 0)
    adapted = min(settings.adapted_layers or shape.layers, shape.layers)
    frozen = shape.layers - adapted
    train, validation, test = (data.examples[split] for split in ("train", "validation", "test"))
    epochs = max(1.0, settings.epochs * config.plan.epochs_share)
    output = 2 * shape.vocabulary * shape.hidden * candidates
    step = lora_operations(shape, mean, mean / 2, adapted, checkpointing=settings.gradient_checkpointing) + 2 * output
    look = forward_operations(shape, mean, mean / 2, adapted) + output
    trunk = forward_operations(shape, mean, mean / 2, frozen)
    operations = epochs * train * step + (epochs + 1) * validation * look + (train + validation) * trunk
    operations += (validation + test) * (look + trunk)
    width = planner.width(settings.dtype)
    memory = ranker_memory(
        shape,
        width,
        rank=settings.lora_r,
        dropout=settings.lora_dropout,
        adapted=adapted,
        users=settings.batch_users,
        length=packed.longest,
        predicted=predicted,
        mask_width=planner.mask_width,
        training=True,
        checkpointing=settings.gradient_checkpointing,
        four_bit=settings.load_in_4bit,
        eager=settings.attention == "eager",
    )
    return StagePlan(
        domain=data.name,
        name=name,
        unit="users",
        count=train + validation + test,
        seconds=planner.corrected(name, planner.machine.seconds(operations, width)),
        disk=4 * lora_parameters(shape, settings.lora_r, adapted) + (validation + test) * 100,
        memory=memory,
        jobs=settings.processes,
        start_seconds=config.plan.hardware.start_seconds,
        prompt_tokens=mean * (train + validation + test),
    )


def scoring_stage(
    planner: Planner, data: DomainData, name: str, splits: tuple[str, ...], *, trained: bool
) -> StagePlan:
    """The ranker asked without training: the untrained model by likelihood, or the leak audit by the trained head."""
    config, shape, settings = planner.config, planner.slm, planner.config.ranker
    packed = _packed(planner, data, reason=trained)
    mean, candidates, predicted = packed.mean, packed.mean_candidates, packed.longest_candidates
    if trained and settings.head == "scalar":
        candidates, predicted = 0, 0
    users = sum(data.examples[split] for split in splits)
    each = forward_operations(shape, mean, mean / 2) + 2 * shape.vocabulary * shape.hidden * candidates
    width = planner.width(settings.dtype)
    adapted = min(settings.adapted_layers or shape.layers, shape.layers) if trained else 0
    memory = partial(ranker_memory, shape, width, rank=settings.lora_r, dropout=0.0, adapted=adapted)
    return StagePlan(
        domain=data.name,
        name=name,
        unit="users",
        count=users,
        seconds=planner.corrected(name, planner.machine.seconds(users * each, width)),
        disk=users * 100,
        memory=memory(
            users=settings.batch_users,
            length=packed.longest,
            predicted=predicted,
            mask_width=planner.mask_width,
            training=False,
            four_bit=trained and settings.load_in_4bit,
            eager=trained and settings.attention == "eager",
        ),
        start_seconds=config.plan.hardware.start_seconds,
        prompt_tokens=mean * users,
    )
