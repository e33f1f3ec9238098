"""One row of the plan, and what all stages are planned with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulse_core.config import Config
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning.counting import Lengths, filler
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import Memory
from pulse_core.planning.rates import Machine
from pulse_core.precision import arithmetic


@dataclass(frozen=True)
class StagePlan:
    """What one stage of one domain takes."""

    domain: str
    name: str  # as hr1.json names it under `stages`
    unit: str  # what `count` counts
    count: int
    seconds: float  # of work, on one card (or on the CPU)
    disk: float  # bytes
    memory: Memory | None = None
    on_card: bool = False
    jobs: int = 1  # that have work to do, such as a writing stage's shards
    processes: int = 1  # of each job; they share its work, each on a card of its own
    start_seconds: float = 0.0  # of each process
    texts: int = 0
    prompt_tokens: float = 0.0
    computed_tokens: float = 0.0
    new_tokens: float = 0.0
    misfit: str = ""  # what does not fit beside memory, and what to change

    @property
    def total_seconds(self) -> float:
        """Work and starts of all processes: what the cards (or the CPU) are busy for, together."""
        return self.seconds + self.jobs * self.processes * self.start_seconds

    @property
    def job_seconds(self) -> float:
        """From start to end of each job, all jobs together: the seconds that hr1.json tells of a stage."""
        return self.total_seconds / self.processes


def planned_engine(config: Config) -> str:
    """The engine that writes on the machine planned for; `auto` is vLLM on cards (`make setup TORCH=cuda` has it)."""
    if config.generation.engine != "auto":
        return config.generation.engine
    return "vllm" if config.plan.hardware.gpus else "transformers"


@dataclass(frozen=True)
class Planner:
    """The configuration, the machine and the models of one plan."""

    config: Config
    templates: Mapping[str, Path]  # positive, base, tree
    slm: ShapeSettings
    encoder: ShapeSettings
    slm_lengths: Lengths
    encoder_lengths: Lengths
    domains: Mapping[str, DomainData]
    corrections: Mapping[str, float] = field(default_factory=dict)  # stage -> measured over planned seconds

    @property
    def machine(self) -> Machine:
        """What the stages with a model run on."""
        return Machine(self.config.plan.hardware)

    @property
    def carded(self) -> bool:
        """Whether there are cards."""
        return self.config.plan.hardware.gpus > 0

    def width(self, dtype: str) -> int:
        """Bytes of a number of `dtype`; `auto` is bfloat16 on cards, and what this machine prefers without."""
        chosen = "bfloat16" if dtype == "auto" and self.carded else arithmetic(dtype)
        return 4 if chosen == "float32" else 2

    def limit(self, stage: str) -> int:
        """The longest text of a writing stage, in tokens."""
        section = self.config.tree if stage == "tree" else self.config.rationales
        return section.sampling.max_new_tokens

    def answer_tokens(self, data: DomainData, stage: str) -> float:
        """Mean length of the stage's texts: of the finished ones, else a share of their limit."""
        return data.answers.get(stage, self.config.plan.answer_share * self.limit(stage))

    def answer(self, data: DomainData, stage: str) -> str:
        """A text as long as the stage's."""
        return filler(round(self.answer_tokens(data, stage) * self.config.plan.characters_per_token)) + "."

    def processes(self, wanted: int) -> int:
        """Processes that share a training. Without cards they share the cores, too: no more is done at a time."""
        return wanted if self.carded else 1

    def corrected(self, stage: str, seconds: float) -> float:
        """Seconds with the stage's measured correction."""
        return seconds * self.corrections.get(stage, 1.0)

    def stage(self, data: DomainData, name: str, unit: str, count: int, seconds: float, **others: Any) -> StagePlan:
        """A stage that runs a model, on a card where there is one."""
        return StagePlan(
            data.name,
            name,
            unit,
            count,
            self.corrected(name, seconds),
            on_card=self.carded,
            start_seconds=self.config.plan.hardware.start_seconds,
            **others,
        )
