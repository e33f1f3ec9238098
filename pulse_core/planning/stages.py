"""The rows of a plan, stage by stage: counts by the pipeline's own code on a sample of examples, seconds as tokens over
rates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pulse_core.config import Config
from pulse_core.generation.requests import Request
from pulse_core.keys import KEY, keys
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning import memory
from pulse_core.planning.counting import Tokenise, count_prompts, filler
from pulse_core.planning.domain import DomainData
from pulse_core.planning.shapes import layer_parameters, parameters
from pulse_core.precision import arithmetic
from pulse_core.ranking.packing import prefix_text
from pulse_core.ranking.questions import make_questions
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.write import base_requests, positive_requests
from pulse_core.texts import behaviour_texts
from pulse_core.tree.grow import contexts_of, node_request

REVIEWS_PER_SECOND = 100_000  # of the corpus stage
# Disk: bytes per interaction, prediction and text row; copies of each text (journal, compressed shard and table); bytes
# per trained weight in float32: the result, and two checkpoints of weight, best weight and two moments of AdamW.
INTERACTION_BYTES, PREDICTION_BYTES, ROW_BYTES, TEXT_COPIES, TRAINED_BYTES = 50, 100, 150, 1.8, 36
HISTORY_KEYS = {"tree": "tree.prompt_history_items"}


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
    """The engine on the target machine: `auto` is vLLM on GPUs (`make setup TORCH=cuda` installs it)."""
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
        """Whether the target machine has GPUs."""
        return self.config.plan.hardware.gpus > 0

    @property
    def capacity(self) -> float:
        """Bytes of memory of one GPU, or of the machine."""
        return self.config.plan.hardware.memory_gb * memory.GIB

    def _width(self, dtype: str) -> int:
        """Bytes per number; `auto` is bfloat16 on GPUs, else this machine's default."""
        chosen = "bfloat16" if dtype == "auto" and self.has_gpu else arithmetic(dtype)
        return 4 if chosen == "float32" else 2

    def _tokens(self, characters: float) -> float:
        return characters / self.config.plan.characters_per_token

    def _max_new_tokens(self, stage: str) -> int:
        return (self.config.tree if stage == "tree" else self.config.rationales).sampling.max_new_tokens

    def _answer_tokens(self, data: DomainData, stage: str) -> float:
        """Mean length of the texts of a writing stage."""
        return data.answer_tokens.get(stage, self.config.plan.answer_share * self._max_new_tokens(stage))

    def _answer(self, data: DomainData, stage: str) -> str:
        return filler(round(self._answer_tokens(data, stage) * self.config.plan.characters_per_token)) + "."

    def _seconds(self, shape: ShapeSettings, **tokens: float) -> float:
        """Seconds for tokens by rate of plan.hardware (tokens per second for one billion parameters)."""
        rates, billions = self.config.plan.hardware, layer_parameters(shape) / 1e9
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
        size = parameters(getattr(self, role)) * (4 if settings.dtype == "float32" else 2)
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
        disk, on_cpu = 4 * settings.dimension * rows, {"on_gpu": False, "start_seconds": 6.0}
        return self._stage(data, "sasrec", "users", size.users, seconds, disk, **on_cpu)

    def writing(self, data: DomainData) -> list[StagePlan]:
        """Positive rationales, base rationales and trees, by the prompts that the stages would send."""
        config, shop, sampled = self.config, data.shop, len(data.sample)
        positive, base = (PromptTemplate(self.templates[name]) for name in ("positive", "base"))
        positives = positive_requests(data.train_sample, shop, positive, config.rationales, config.seed)
        neighbours = dict(zip(keys(data.sample), data.sample["neighbours"], strict=True))
        bases = base_requests(data.sample, neighbours, shop, base, config.rationales, config.seed)
        tree = self._tree_requests(data, neighbours)
        return [
            self._writing(data, "positive_rationales", [positives], data.examples["train"], len(data.train_sample)),
            self._writing(data, "base_rationales", [bases], data.total, sampled),
            self._writing(data, "tree", tree, data.total, sampled),
        ]

    def _tree_requests(self, data: DomainData, neighbours: Mapping) -> list[list[Request]]:
        """The requests of each level; parents begin differently, as real ones do."""
        config, template = self.config, PromptTemplate(self.templates["tree"])
        contexts = contexts_of(data.sample, neighbours, data.shop, config.tree, config.rationales)
        level = [{**dict(zip(KEY, key, strict=True)), "node": 0} for key in contexts]
        text, levels = self._answer(data, "base_rationales"), []
        for width in config.tree.branching:
            nodes = [{**node, "rationale": f"{number} {text}"} for number, node in enumerate(level)]
            levels.append([node_request(template, contexts, node, config.tree, config.seed, width) for node in nodes])
            level = [node for node in level for _ in range(width)]
        return levels

    def _writing(
        self, data: DomainData, stage: str, lists: Sequence[Sequence[Request]], examples: int, sampled: int
    ) -> StagePlan:
        """A stage that writes for `examples` examples, given its requests for `sampled` of them."""
        plan, settings, shape = self.config.plan, self.config.generation, self.slm
        engine, width = planned_engine(self.config), self._width(settings.dtype)
        counts = [count_prompts(one, self.tokenise, plan.characters_per_token, engine) for one in lists]
        requests, texts, tokens, computed = (
            examples / max(sampled, 1) * sum(getattr(one, name) for one in counts)
            for name in ("requests", "texts", "tokens", "computed")
        )
        longest, limit = max(counts, key=lambda one: one.longest), self._max_new_tokens(stage)
        new_tokens, items = (
            texts * self._answer_tokens(data, stage),
            HISTORY_KEYS.get(stage, "rationales.history_items"),
        )
        needed, maximum, misfit = math.ceil(longest.longest) + limit, settings.vllm.max_model_tokens, ""
        if engine == "vllm":
            needs = memory.vllm_memory(shape, settings, width, self.capacity)
            if needed > maximum:
                misfit = (
                    f"needs up to {needed:,} tokens for prompt and answer, but generation.vllm.max_model_tokens is "
                    f"{maximum:,}: raise it, or lower {items} or rationales.title_chars"
                )
        else:
            needs = memory.transformers_memory(shape, width, settings.batch_size, longest, limit)
        return self._stage(
            *(data, stage, "prompts", round(requests)),
            self._seconds(shape, prompt_rate=computed, generation_rate=new_tokens),
            TEXT_COPIES * new_tokens * plan.characters_per_token + ROW_BYTES * texts,
            jobs=min(settings.shards, math.ceil(examples / settings.chunk_prompts)),  # shards get whole chunks
            memory_bytes=needs,
            advice=f"lower generation.batch_size{', generation.vllm.max_model_tokens' * (engine == 'vllm')} or "
            f"{items}, or choose a smaller models.slm",
            misfit=misfit,
            **{"texts": round(texts), "prompt_tokens": tokens, "computed_tokens": computed, "new_tokens": new_tokens},
        )

    def _behaviour_tokens(self, data: DomainData) -> float:
        """Mean length of a behaviour text."""
        texts = behaviour_texts(data.sample, data.shop, self.config.rationales, with_target=False).values()
        return float(np.mean([min(self._tokens(len(text)), self.config.thought_space.max_tokens) for text in texts]))

    def thought_space(self, data: DomainData) -> StagePlan:
        """Both encoders, trained on the examples of all domains that share the space."""
        settings, shape, share = self.config.thought_space, self.encoder, self.config.plan.epochs_share
        users = sum(self.domains[name].examples["train"] for name in {data.name, *settings.domains})
        validation = round(settings.validation_share * users)
        per_user = self._answer_tokens(data, "positive_rationales") + self._behaviour_tokens(data)
        trained = share * settings.steps(users - validation) * min(settings.batch_size, users - validation)
        validated = (settings.epochs * share + 2) * validation
        lengths = (min(self._max_new_tokens("positive_rationales"), settings.max_tokens), settings.max_tokens)
        width = self._width(settings.dtype)
        return self._stage(
            *(data, "thought_space", "users", users),
            self._seconds(shape, encoder_training_rate=trained * per_user, encoding_rate=validated * per_user),
            2 * parameters(shape) * TRAINED_BYTES,
            processes=settings.processes if self.has_gpu else 1,
            memory_bytes=memory.encoder_training_memory(shape, settings, width, lengths, fused=self.has_gpu),
            advice="lower thought_space.max_tokens or thought_space.batch_size",
        )

    def selection(self, data: DomainData, stage: str) -> StagePlan:
        """All leaves and behaviour texts through the frozen encoders."""
        settings, shape, leaves = self.config.selection, self.encoder, math.prod(self.config.tree.branching)
        answer, length = self._answer_tokens(data, "tree"), self.config.thought_space.max_tokens
        tokens, width = data.total * (leaves * answer + self._behaviour_tokens(data)), self._width(settings.dtype)
        return self._stage(
            *(data, stage, "texts", (leaves + 1) * data.total),
            self._seconds(shape, encoding_rate=tokens),
            data.total * leaves * (0.4 * answer * self.config.plan.characters_per_token + 20),
            memory_bytes=memory.encoding_memory(shape, width, settings.batch_size, length, fused=self.has_gpu),
            advice="lower selection.batch_size or thought_space.max_tokens",
        )

    def _question_tokens(self, data: DomainData, *, with_rationale: bool) -> float:
        """Mean length of a packed question."""
        settings, text = self.config.ranker, self._answer(data, "tree")
        rationales = dict.fromkeys(keys(data.sample), text) if with_rationale else None
        lengths = []
        for question in make_questions(data.sample, data.sample, rationales, data.shop, settings):
            titles = [self._tokens(len(title) + 2) for title in question.candidates]
            prefix = self._tokens(len(prefix_text(question.history, question.rationale)))
            lengths.append(min(prefix, settings.max_tokens - max(titles)) + sum(titles))
        return float(np.mean(lengths))

    def ranking(
        self,
        data: DomainData,
        stage: str,
        *splits: str,
        with_rationale: bool = False,
        trains: bool = False,
        zero_shot: bool = False,
    ) -> StagePlan:
        """Scoring of the examples in `splits` by the ranker, and its training if it `trains`; `zero_shot`: by the model
        without LoRA, whose head is always `likelihood`."""
        settings, shape = self.config.ranker, self.slm
        tokens = self._question_tokens(data, with_rationale=with_rationale)
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
        title = math.ceil(self._tokens(settings.title_chars)) + 2
        candidates = self.config.candidates.count * title
        prefix = settings.history_items * title + self._max_new_tokens("tree") + 20  # words around them
        length = min(prefix, settings.max_tokens - title) + candidates
        predicted = candidates if zero_shot or settings.head == "likelihood" else 0
        switches = ("gradient_checkpointing", "load_in_4bit")
        missing = " and ".join(f"ranker.{name}: true" for name in switches if not getattr(settings, name))
        return self._stage(
            *(data, stage, "users", users),
            self._seconds(shape, prompt_rate=read * tokens, training_rate=trained * tokens),
            disk,
            prompt_tokens=tokens * users,
            processes=settings.processes if trains and self.has_gpu else 1,
            memory_bytes=memory.ranker_memory(shape, settings, width, length, predicted, trains=trains),
            advice="lower ranker.max_tokens, ranker.title_chars or ranker.batch_users"
            + (f", or set {missing}" if missing else ""),
        )
