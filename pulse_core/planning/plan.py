"""The whole plan: the rows of all domains, totals, what does not fit, and a finished run to correct it by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulse_core.planning.memory import GIB
from pulse_core.planning.stages import Planner, StagePlan

PLAUSIBLE = 10.0  # a larger correction (or its inverse) points to another machine or a run too short to measure


@dataclass(frozen=True)
class Plan:
    """Rows in the order of the stages, and the notes to print below them."""

    rows: Sequence[StagePlan]
    capacity: float  # bytes of memory of one GPU, or of the machine
    gpus: int
    notes: Sequence[str]

    @property
    def misfits(self) -> list[str]:
        """A line per stage that does not fit in memory (in its largest domain) or whose prompts are too long."""
        largest: dict[str, StagePlan] = {}
        for row in self.rows:
            if row.memory > self.capacity:
                largest[row.stage] = max(row, largest.get(row.stage, row), key=lambda one: one.memory)
        lines = [
            f"{row.stage} needs {row.memory / GIB:.1f} GiB of {self.capacity / GIB:.0f}: {row.advice}"
            for row in largest.values()
        ]
        return lines + [f"{row.stage} of {row.domain} {row.misfit}" for row in self.rows if row.misfit]

    def fits(self, row: StagePlan) -> bool:
        """Whether a stage fits in memory, and its prompts in the engine's limit."""
        return not row.misfit and row.memory <= self.capacity

    @property
    def gpu_seconds(self) -> float:
        return sum(row.seconds for row in self.rows if row.on_gpu)

    @property
    def cpu_seconds(self) -> float:
        return sum(row.seconds for row in self.rows if not row.on_gpu)

    @property
    def wall_seconds(self) -> float:
        """From start to end if GPUs share the work evenly and never run beside CPU stages."""
        return self.gpu_seconds / max(self.gpus, 1) + self.cpu_seconds

    @property
    def disk_bytes(self) -> float:
        return sum(row.disk_bytes for row in self.rows)


def make_plan(planner: Planner) -> Plan:
    """Plan `results/<domain>/hr1.json` of every domain."""
    rows = [planner.model("slm"), planner.model("encoder")]
    for data in planner.domains.values():
        scored = ("validation", "test")
        rows += [
            planner.corpus(data),
            planner.sasrec(data),
            *planner.writing(data),
            planner.thought_space(data),
            planner.selection(data, "select-thought_space"),
            planner.ranking(data, "ranker-thought_space", scored, rationale=True, trains=True),
            planner.ranking(data, "ranker-slm_sft", scored, trains=True),
            planner.ranking(data, "baseline-llm_zero_shot", scored),
        ]
        if planner.config.selection.behaviour == "history":  # the leak audit
            rows += [
                planner.selection(data, "select-thought_space_oracle"),
                planner.ranking(data, "oracle_predictions", ["test"], rationale=True),
            ]
    return Plan(rows, planner.capacity, planner.config.plan.hardware.gpus, _notes(planner))


def _notes(planner: Planner) -> list[str]:
    plan, domains = planner.config.plan, planner.domains.values()
    prompts = "counted by the model's tokenizer"
    if not planner.tokenise:
        prompts = f"assumed, {plan.characters_per_token:g} characters each (the model is not prepared here)"
    finished = "the mean of finished texts, else " if any(data.answer_tokens for data in domains) else ""
    factors = ", ".join(f"{stage} x {factor:.2f}" for stage, factor in planner.corrections.items())
    return [
        *(data.note for data in domains),
        f"prompt tokens: {prompts}; items of similar users and candidates are drawn at random",
        f"new tokens: {finished}{plan.answer_share:g} of max_new_tokens (plan.answer_share)",
        "seconds: tokens over the rates of plan.hardware"
        + (f", corrected by a finished run: {factors}" if factors else "; --measured corrects them"),
        f"epochs: {plan.epochs_share:g} of the configured ones (plan.epochs_share); early stopping may end sooner",
        "not planned, minutes on the CPU: examples, candidates, neighbours, SASRec's trials, counting baselines, hr1",
        "not planned, hours with large models: other systems of results/tables/overall.csv, further trials",
    ]


@dataclass(frozen=True)
class Comparison:
    """One stage of a finished run beside its plan, in seconds, summed over its jobs."""

    stage: str
    planned: float
    measured: float
    correction: float  # factor on the seconds without start-up; negative: the run took no longer than that

    @property
    def plausible(self) -> bool:
        """Whether the correction is applied."""
        return 1 / PLAUSIBLE <= self.correction <= PLAUSIBLE


def compare(plan: Plan, stages: Mapping[str, Mapping[str, Any]]) -> list[Comparison]:
    """The plan of a finished run beside the `stages` of its hr1.json; stages without a time are left out."""
    comparisons = []
    for row in plan.rows:
        measured = stages.get(row.stage, {}).get("seconds")
        if measured is not None and row.work_seconds and row.stage != "corpus":  # no rate is configured for it
            startup, planned = row.jobs * row.start_seconds, row.seconds / row.processes
            correction = (float(measured) - startup) / (planned - startup)
            comparisons.append(Comparison(row.stage, planned, float(measured), correction))
    return comparisons
