"""One row of the plan, and what all stages are planned with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pulse_core.config import Config
from pulse_core.planning.counting import Lengths, PromptLengths
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import Memory
from pulse_core.planning.rates import Machine
from pulse_core.planning.settings import ShapeSettings
from pulse_core.precision import arithmetic


@dataclass(frozen=True)
class StagePlan:
    """What one stage of one domain takes."""

    domain: str
    name: str  # as hr1.json names it under `stages`
    unit: str  # what `count` counts
    count: int
    seconds: float  # of work, all jobs together
    disk: float = 0.0  # bytes
    memory: Memory | None = None
    on_card: bool = True  # False: runs on the CPU although there are cards
    jobs: int = 1
    start_seconds: float = 0.0  # of each job
    texts: int = 0
    prompt_tokens: float = 0.0
    computed_tokens: float = 0.0
    new_tokens: float = 0.0

    @property
    def total_seconds(self) -> float:
        """Work and starts of all jobs."""
        return self.seconds + self.jobs * self.start_seconds


def planned_engine(config: Config) -> str:
    """The engine that writes on the machine planned for."""
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
    slm_lengths: PromptLengths
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

    @property
    def engine(self) -> str:
        """The engine that writes; `auto` is vLLM on cards (`make setup TORCH=cuda` installs it)."""
        return planned_engine(self.config)

    @property
    def mask_width(self) -> int:
        """Bytes of one element of a dropout mask: torch keeps booleans on a card, the scaled mask on the CPU."""
        return 1 if self.carded else 4

    def width(self, dtype: str) -> int:
        """Bytes of a number of `dtype`; `auto` is bfloat16 on cards, and what this machine prefers without."""
        chosen = "bfloat16" if dtype == "auto" and self.carded else arithmetic(dtype)
        return 4 if chosen == "float32" else 2

    def answer_tokens(self, data: DomainData, stage: str, limit: int) -> float:
        """Mean length of the stage's texts: of the finished ones, else a share of their limit."""
        return data.answers.get(stage, self.config.plan.answer_share * limit)

    def corrected(self, stage: str, seconds: float) -> float:
        """Seconds with the stage's measured correction."""
        return seconds * self.corrections.get(stage, 1.0)
