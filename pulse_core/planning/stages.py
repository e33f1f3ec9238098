"""The rows of a plan, stage by stage: counts by the pipeline's own code on a sample of examples, seconds as tokens over
rates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulse_core.config import Config
from pulse_core.generation.requests import Request
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning import memory
from pulse_core.planning.counting import Tokenise, behaviour_tokens, count_prompts, question_tokens, sample_requests
from pulse_core.planning.domain import DomainData, filler
from pulse_core.precision import arithmetic

REVIEWS_PER_SECOND = 100_000  # of the corpus stage
# Disk: bytes per interaction, prediction and text row; copies of each text (journal, compressed shard and table); bytes
# per trained weight in float32: the result, and two checkpoints of weight, best weight and two moments of AdamW.
INTERACTION_BYTES, PREDICTION_BYTES, ROW_BYTES, TEXT_COPIES, TRAINED_BYTES = 50, 100, 150, 1.8, 36


@dataclass(frozen=True)
class StagePlan:
    """What one stage of one domain takes."""

    domain: str
    stage: str  # as in `stages` of hr1.json
    unit: str  # of `count`
    count: int
    work_seconds: float  # without start-up, on one GPU (or on the CPU)
    disk_bytes: float
    on_gpu: bool = False
    jobs: int = 1  # that have work to do, such as shards of a writing stage
    processes: int = 1  # per job, each on its own GPU
    start_seconds: float = 0.0  # per process
    texts: int = 0
    prompt_tokens: float = 0.0
    computed_tokens: float = 0.0
    new_tokens: float = 0.0
    memory_bytes: Mapping[str, float] = field(default_factory=dict)  # by part; empty: not planned
    advice: str = ""  # what to change if the memory does not fit
    misfit: str = ""  # what else does not fit, and what to change

    @property
    def memory(self) -> float:
        """Peak bytes."""
        return sum(self.memory_bytes.values())

    @property
    def seconds(self) -> float:
        """Seconds of all processes together, with start-up."""
        return self.work_seconds + self.jobs * self.processes * self.start_seconds


def planned_engine(config: Config) -> str:
    """The engine on the target machine: `auto` is vLLM on GPUs."""
    automatic = "vllm" if config.plan.hardware.gpus else "transformers"
    return automatic if config.generation.engine == "auto" else config.generation.engine


@dataclass(frozen=True)
class Planner:
    """Plans the stages of one configuration."""

    config: Config
    templates: Mapping[str, Path]  # positive, base, tree
    slm: ShapeSettings
    encoder: ShapeSettings
    tokenise: Tokenise | None  # of the language model, if it is prepared
    domains: Mapping[str, DomainData]
    corrections: Mapping[str, float] = field(default_factory=dict)  # stage -> measured over planned seconds

    @property
    def has_gpu(self) -> bool:
        return self.config.plan.hardware.gpus > 0

    @property
    def capacity(self) -> float:
        """Bytes of memory of one GPU, or of the machine."""
        return self.config.plan.hardware.memory_gb * memory.GIB

    def _width(self, dtype: str) -> int:
        """Bytes per number; `auto` is bfloat16 on GPUs, else this machine's default."""
        chosen = "bfloat16" if dtype == "auto" and self.has_gpu else arithmetic(dtype)
        return 4 if chosen == "float32" else 2

    def _max_new_tokens(self, stage: str) -> int:
        return (self.config.tree if stage == "tree" else self.config.rationales).sampling.max_new_tokens

    def _answer_tokens(self, data: DomainData, stage: str) -> float:
        """Mean length of the texts of a writing stage."""
        return data.answer_tokens.get(stage, self.config.plan.answer_share * self._max_new_tokens(stage))

    def _answer(self, data: DomainData, stage: str) -> str:
        """Filler text of that length."""
        return filler(round(self._answer_tokens(data, stage) * self.config.plan.characters_per_token)) + "."

    def _seconds(self, shape: ShapeSettings, **tokens: float) -> float:
        """Seconds for tokens by rate of plan.hardware (tokens per second for one billion parameters)."""
        rates, billions = self.config.plan.hardware, memory.layer_parameters(shape) / 1e9
        return sum(billions * count / getattr(rates, rate) for rate, count in tokens.items())

    def _stage(
        self, data: DomainData, stage: str, unit: str, count: int, seconds: float, disk: float, **others: Any
    ) -> StagePlan:
        """A stage that runs a model, on a GPU if there is one."""
        others = {"on_gpu": self.has_gpu, "start_seconds": self.config.plan.hardware.start_seconds, **others}
        return StagePlan(data.name, stage, unit, count, seconds * self.corrections.get(stage, 1.0), disk, **others)

    def model(self, role: str) -> StagePlan:
        """A model prepared in resources/models; the hub's cache keeps another copy."""
        settings = getattr(self.config.models, role)
        size = memory.parameters(getattr(self, role)) * (4 if settings.dtype == "float32" else 2)
        return StagePlan("models", f"model-{role}", "", 0, 0.0, (2 if settings.hub else 1) * size)

    def corpus(self, data: DomainData) -> StagePlan:
        """Counts the interactions that remain; a raw file may have several times as many."""
        rows = data.size.interactions
        return StagePlan(data.name, "corpus", "rows", rows, rows / REVIEWS_PER_SECOND, INTERACTION_BYTES * rows)

    def sasrec(self, data: DomainData) -> StagePlan:
        """The full sequence model and one per cross-fitting fold, always on the CPU."""
        settings, size, plan = self.config.sasrec, data.size, self.config.plan
        scored = size.items if settings.loss == "ce" else 1
        per_target = 6 * settings.dimension * (scored + 12 * settings.dimension * settings.blocks)
        targets = max(size.interactions - 3 * size.users, size.users)
        epochs = settings.epochs * plan.epochs_share * (1 + max(settings.cross_fit_folds - 1, 0))
        seconds = targets * per_target * epochs / (1e9 * plan.hardware.sasrec_gflops)
        rows = (size.items + settings.max_length) * (1 + settings.cross_fit_folds) + data.total
        disk = 4 * settings.dimension * rows
        return self._stage(data, "sasrec", "users", size.users, seconds, disk, on_gpu=False, start_seconds=6.0)

    def writing(self, data: DomainData) -> list[StagePlan]:
        """Positive rationales, base rationales and trees, by the prompts that the stages would send."""
        requests = sample_requests(data, self.config, self.templates, self._answer(data, "base_rationales"))
        return [self._writing(data, stage, lists) for stage, lists in requests.items()]

    def _writing(self, data: DomainData, stage: str, lists: Sequence[Sequence[Request]]) -> StagePlan:
        """A stage that writes, given its requests for the sampled examples."""
        examples, sampled = data.total, len(data.sample)
        if stage == "positive_rationales":
            examples, sampled = data.examples["train"], len(data.train_sample)
        plan, settings, shape = self.config.plan, self.config.generation, self.slm
        engine, width = planned_engine(self.config), self._width(settings.dtype)
        counts = [count_prompts(one, self.tokenise, plan.characters_per_token, engine) for one in lists]
        scale, samples = examples / max(sampled, 1), [request.samples for one in lists for request in one]
        requests, texts = scale * len(samples), scale * sum(samples)
        tokens, computed = scale * sum(one.tokens for one in counts), scale * sum(one.computed for one in counts)
        longest, limit = max(counts, key=lambda one: one.longest), self._max_new_tokens(stage)
        new_tokens = texts * self._answer_tokens(data, stage)
        items = "tree.prompt_history_items" if stage == "tree" else "rationales.history_items"
        lower, misfit = "generation.batch_size", ""
        if engine == "vllm":
            needs = memory.vllm_memory(shape, settings, width, self.capacity)
            needed, maximum = math.ceil(longest.longest) + limit, settings.vllm.max_model_tokens
            if needed > maximum:
                misfit = (
                    f"needs up to {needed:,} tokens for prompt and answer, but generation.vllm.max_model_tokens is "
                    f"{maximum:,}: raise it, or lower {items} or rationales.title_chars"
                )
            lower += ", generation.vllm.max_model_tokens"
        else:
            needs = memory.transformers_memory(shape, width, settings.batch_size, longest, limit)
        return self._stage(
            *(data, stage, "prompts", round(requests)),
            self._seconds(shape, prompt_rate=computed, generation_rate=new_tokens),
            TEXT_COPIES * new_tokens * plan.characters_per_token + ROW_BYTES * texts,
            jobs=min(settings.shards, math.ceil(examples / settings.chunk_prompts)),  # shards get whole chunks
            memory_bytes=needs,
            advice=f"lower {lower} or {items}, or choose a smaller models.slm",
            misfit=misfit,
            texts=round(texts),
            prompt_tokens=tokens,
            computed_tokens=computed,
            new_tokens=new_tokens,
        )

    def thought_space(self, data: DomainData) -> StagePlan:
        """Both encoders, trained on the examples of all domains that share the space."""
        settings, shape, share = self.config.thought_space, self.encoder, self.config.plan.epochs_share
        users = sum(self.domains[name].examples["train"] for name in {data.name, *settings.domains})
        validation = round(settings.validation_share * users)
        per_user = self._answer_tokens(data, "positive_rationales") + behaviour_tokens(data, self.config)
        trained = share * settings.steps(users - validation) * min(settings.batch_size, users - validation)
        validated = (settings.epochs * share + 2) * validation
        lengths = (min(self._max_new_tokens("positive_rationales"), settings.max_tokens), settings.max_tokens)
        width = self._width(settings.dtype)
        return self._stage(
            *(data, "thought_space", "users", users),
            self._seconds(shape, encoder_training_rate=trained * per_user, encoding_rate=validated * per_user),
            2 * memory.parameters(shape) * TRAINED_BYTES,
            processes=settings.processes if self.has_gpu else 1,
            memory_bytes=memory.encoder_training_memory(shape, settings, width, lengths, fused=self.has_gpu),
            advice="lower thought_space.max_tokens or thought_space.batch_size",
        )

    def selection(self, data: DomainData, stage: str) -> StagePlan:
        """All leaves and behaviour texts through the frozen encoders."""
        settings, shape, leaves = self.config.selection, self.encoder, math.prod(self.config.tree.branching)
        answer, length = self._answer_tokens(data, "tree"), self.config.thought_space.max_tokens
        tokens = data.total * (leaves * answer + behaviour_tokens(data, self.config))
        width = self._width(settings.dtype)
        return self._stage(
            *(data, stage, "texts", (leaves + 1) * data.total),
            self._seconds(shape, encoding_rate=tokens),
            data.total * leaves * (0.4 * answer * self.config.plan.characters_per_token + 20),
            memory_bytes=memory.encoding_memory(shape, width, settings.batch_size, length, fused=self.has_gpu),
            advice="lower selection.batch_size or thought_space.max_tokens",
        )

    def ranking(
        self, data: DomainData, stage: str, splits: Sequence[str], *, rationale: bool = False, trains: bool = False
    ) -> StagePlan:
        """Scoring of the examples in `splits` by the ranker, and its training if it `trains`."""
        settings, shape = self.config.ranker, self.slm
        tokens = question_tokens(data, self.config, self._answer(data, "tree") if rationale else None)
        layers, width = settings.adapted(shape.layers), self._width(settings.dtype)
        users = sum(data.examples[split] for split in splits)
        read, trained, disk = float(users), 0.0, float(PREDICTION_BYTES * users)
        if trains:
            # The layers below the adapted ones are computed once for all epochs, and their states stored.
            train, validation = data.examples["train"], data.examples["validation"]
            epochs, share = max(1.0, settings.epochs * self.config.plan.epochs_share), layers / shape.layers
            trained = share * epochs * train * (1.5 if settings.gradient_checkpointing else 1)
            read += share * (epochs + 1) * validation + (1 - share) * (train + validation)
            disk += TRAINED_BYTES * memory.lora_parameters(shape, settings)
            disk += (train + validation) * tokens * shape.hidden * width if share < 1 else 0
            users += train
        title = math.ceil(settings.title_chars / self.config.plan.characters_per_token) + 2
        candidates = self.config.candidates.count * title
        prefix = settings.history_items * title + self._max_new_tokens("tree") + 20  # words around them
        length = min(prefix, settings.max_tokens - title) + candidates
        likelihood = settings.head == "likelihood" or stage == "baseline-llm_zero_shot"  # which has no head of its own
        predicted = candidates if likelihood else 0
        switches = ("gradient_checkpointing", "load_in_4bit")
        missing = " and ".join(f"ranker.{name}: true" for name in switches if not getattr(settings, name))
        advice = "lower ranker.max_tokens, ranker.title_chars or ranker.batch_users"
        return self._stage(
            *(data, stage, "users", users),
            self._seconds(shape, prompt_rate=read * tokens, training_rate=trained * tokens),
            disk,
            prompt_tokens=tokens * users,
            processes=settings.processes if trains and self.has_gpu else 1,
            memory_bytes=memory.ranker_memory(shape, settings, width, length, predicted, trains=trains),
            advice=f"{advice}, or set {missing}" if missing else advice,
        )
