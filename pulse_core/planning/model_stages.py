"""The stages that train or ask a model without writing: SASRec, Thought Space, selection, rankers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pulse_core.keys import keys
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import encoders_training_memory, encoding_memory, ranker_memory
from pulse_core.planning.shapes import forward_operations, lora_parameters, parameters
from pulse_core.planning.stage_plan import Planner, StagePlan
from pulse_core.ranking.packing import pack
from pulse_core.ranking.questions import make_questions
from pulse_core.ranking.settings import RankerSettings
from pulse_core.texts import behaviour_texts

REVIEWS_PER_SECOND = 100_000  # of the corpus stage, about (docs/performance.md)
PREFIX_WORDS = 20  # tokens of a question beside titles and rationale
INTERACTION_BYTES = 50  # of the corpus's tables and examples: Gift Cards 50, with their short texts
PREDICTION_BYTES = 100
# Of a trained weight while it is trained: itself, the best one and AdamW's moments in float32, for a killed training to
# start from (pulse_core.checkpoints); twice while a new state takes the old one's place.
STATE_BYTES = 2 * 16


def corpus_stage(data: DomainData) -> StagePlan:
    """Raw reviews to tables, by the interactions that remain (a raw file may hold five times as many); on the CPU."""
    count = data.size.interactions
    return StagePlan(data.name, "corpus", "rows", count, count / REVIEWS_PER_SECOND, INTERACTION_BYTES * count)


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
    return StagePlan(data.name, "sasrec", "users", size.users, seconds, disk, start_seconds=6.0)


def _behaviour_tokens(planner: Planner, data: DomainData) -> tuple[float, int]:
    """Mean and longest behaviour text of the sample, in the encoder's tokens, as far as it reads."""
    texts = behaviour_texts(data.sample, data.shop, planner.config.rationales, with_target=False)
    limit = planner.config.thought_space.max_tokens
    lengths = [min(planner.encoder_lengths.tokens(text) + 2, limit) for text in texts.values()]
    return float(np.mean(lengths)), math.ceil(max(lengths))


def thought_space_stage(planner: Planner, data: DomainData) -> StagePlan:
    """Both encoders, trained on the domain's examples and those of the domains that share its space."""
    config, settings, shape = planner.config, planner.config.thought_space, planner.encoder
    users = sum(planner.domains[name].examples["train"] for name in {data.name, *settings.domains})
    held = round(settings.validation_share * users)
    steps = settings.steps(users - held) * config.plan.epochs_share
    rationale = min(planner.answer_tokens(data, "positive_rationales"), settings.max_tokens)
    behaviour, longest = _behaviour_tokens(planner, data)
    both = sum(forward_operations(shape, length, length) for length in (rationale, behaviour))
    seen = 3 * steps * min(settings.batch_size, users - held) + (settings.epochs * config.plan.epochs_share + 2) * held
    width = planner.width(settings.dtype)
    longest_rationale = min(planner.limit("positive_rationales"), settings.max_tokens)
    return planner.stage(
        data,
        "thought_space",
        "users",
        users,
        planner.machine.seconds(seen * both, width),
        disk=2 * parameters(shape) * (4 + STATE_BYTES),
        memory=encoders_training_memory(shape, settings, width, longest_rationale, longest, carded=planner.carded),
        processes=planner.processes(settings.processes),
    )


def selection_stage(planner: Planner, data: DomainData, name: str) -> StagePlan:
    """All leaves and behaviour texts through the frozen Thought Space."""
    config, shape = planner.config, planner.encoder
    leaves, answer = math.prod(config.tree.branching), planner.answer_tokens(data, "tree")
    behaviour, longest = _behaviour_tokens(planner, data)
    leaf = min(answer, config.thought_space.max_tokens)
    each = leaves * forward_operations(shape, leaf, leaf) + forward_operations(shape, behaviour, behaviour)
    width = planner.width(config.selection.dtype)
    return planner.stage(
        data,
        name,
        "texts",
        (leaves + 1) * data.total,
        planner.machine.seconds(data.total * each, width),
        disk=data.total * leaves * (0.4 * answer * config.plan.characters_per_token + 20),
        memory=encoding_memory(shape, width, config.selection.batch_size, longest, carded=planner.carded),
    )


@dataclass(frozen=True)
class _Packed:
    """Tokens of packed questions: the sample's mean, and the longest that the settings let through. `predicted` are
    those that the likelihood head looks up in the vocabulary."""

    mean: float
    longest: int
    mean_predicted: float
    longest_predicted: int


def _packed(planner: Planner, data: DomainData, settings: RankerSettings, *, reason: bool) -> _Packed:
    config, lengths = planner.config, planner.slm_lengths
    told = dict.fromkeys(keys(data.candidates), planner.answer(data, "tree")) if reason else None
    questions = make_questions(data.sample, data.candidates, told, data.shop, settings)

    def tokenizer(text: str, **_: object) -> dict[str, list]:
        # `pack` only counts; pieces of the right number stand for tokens where no tokenizer is.
        return {"input_ids": [0] * math.ceil(lengths.tokens(text))}

    packed = [pack(question, tokenizer, settings.max_tokens) for question in questions]
    candidates = [sum(map(len, question.candidates)) for question in packed]
    whole = [len(question.prefix) + own for question, own in zip(packed, candidates, strict=True)]
    # Every title as long as it may be, and as much of the history as max_tokens holds.
    title = math.ceil(settings.title_chars / config.plan.characters_per_token) + 2
    prefix = settings.history_items * title + PREFIX_WORDS + (planner.limit("tree") if reason else 0)
    most = max(config.candidates.count * title, *candidates)
    longest = max(min(prefix, settings.max_tokens - title) + most, *whole)
    predicted = settings.head == "likelihood"
    return _Packed(float(np.mean(whole)), longest, predicted * float(np.mean(candidates)), predicted * most)


def ranking_stage(
    planner: Planner,
    data: DomainData,
    name: str,
    splits: Sequence[str] = ("validation", "test"),
    *,
    reason: bool = False,
    trains: bool = False,
    adapted: bool = True,
) -> StagePlan:
    """Scores of these splits by the ranker: `reason`, with rationales; `trains`, after its training with a validation
    after each epoch; not `adapted`, by the language model as it comes, which knows the likelihood head alone."""
    config, shape, settings = planner.config, planner.slm, planner.config.ranker
    if not adapted:
        plain = {"head": "likelihood", "load_in_4bit": False, "attention": "sdpa"}
        settings = settings.model_copy(update=plain)
    layers = settings.adapted(shape.layers) if adapted else 0
    width, packed = planner.width(settings.dtype), _packed(planner, data, settings, reason=reason)
    forward = partial(forward_operations, shape, packed.mean, packed.mean / 2)
    output = 2 * shape.vocabulary * shape.hidden * packed.mean_predicted
    trunk, head = forward(shape.layers - layers), forward(layers) + output
    users = sum(data.examples[split] for split in splits)
    operations, disk = users * (trunk + head), float(PREDICTION_BYTES * users)
    if trains:
        train, validation = data.examples["train"], data.examples["validation"]
        epochs = max(1.0, settings.epochs * config.plan.epochs_share)
        # Frozen weights get no gradient, so backward costs what forward does; checkpointing adds a forward.
        step = (3 if settings.gradient_checkpointing else 2) * forward(layers) + 2 * output
        operations += epochs * train * step + (epochs + 1) * validation * head + (train + validation) * trunk
        kept = packed.mean * shape.hidden * width if layers < shape.layers else 0  # the trunk's states of a user
        disk += lora_parameters(shape, settings.lora_r, layers) * (4 + STATE_BYTES) + (train + validation) * kept
        users += train
    return planner.stage(
        data,
        name,
        "users",
        users,
        planner.machine.seconds(operations, width),
        disk=disk,
        memory=ranker_memory(
            shape,
            settings,
            width,
            adapted=layers,
            length=packed.longest,
            predicted=packed.longest_predicted,
            carded=planner.carded,
            training=trains,
        ),
        processes=planner.processes(settings.processes) if trains else 1,
        prompt_tokens=packed.mean * users,
    )
