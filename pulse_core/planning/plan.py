"""The whole plan: rows of all domains, totals, what does not fit, and what was counted or assumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from pulse_core.plan_settings import HardwareSettings
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import GIB, Memory
from pulse_core.planning.model_stages import (
    corpus_stage,
    ranking_stage,
    sasrec_stage,
    selection_stage,
    thought_space_stage,
)
from pulse_core.planning.shapes import parameters
from pulse_core.planning.stage_plan import Planner, StagePlan
from pulse_core.planning.writing_stages import writing_stages

EVERY_DOMAIN = "models"  # the rows that no domain owns


@dataclass(frozen=True)
class Plan:
    """Rows in the order the stages run, and the lines to read below them."""

    rows: Sequence[StagePlan]
    capacity: float  # bytes of a card, or of the machine
    gpus: int
    notes: Sequence[str]

    @property
    def misfits(self) -> list[str]:
        """What the card cannot hold, one line for each kind of stage (of the domain that wants most), and what else
        does not fit: how much it is, and what to change."""
        largest: dict[str, Memory] = {}
        for row in self.rows:
            if row.memory and row.memory.total > self.capacity:
                largest[row.name] = max(row.memory, largest.get(row.name, row.memory), key=lambda held: held.total)
        found = [
            f"{name} wants {held.total / GIB:.1f} GiB of {self.capacity / GIB:.0f}: {held.advice}"
            for name, held in largest.items()
        ]
        return found + [f"{row.name} of {row.domain} {row.misfit}" for row in self.rows if row.misfit]

    def fits(self, row: StagePlan) -> bool:
        """Whether a row's memory is there, and its prompts are no longer than its engine's limit."""
        return not row.misfit and (row.memory is None or row.memory.total <= self.capacity)

    @property
    def card_seconds(self) -> float:
        """Seconds that the cards are busy for, together; 0 without cards."""
        return sum(row.total_seconds for row in self.rows if row.on_card)

    @property
    def cpu_seconds(self) -> float:
        """Seconds of the stages that run on the CPU: beside the cards, or all of them."""
        return sum(row.total_seconds for row in self.rows if not row.on_card)

    @property
    def wall_seconds(self) -> float:
        """From start to end: cards share the work evenly; a domain's CPU stages come before its cards have work, and
        those of other domains run meanwhile. Without cards everything runs one after the other."""
        if not self.gpus:
            return self.cpu_seconds
        by_domain: dict[str, float] = {}
        for row in self.rows:
            if not row.on_card:
                by_domain[row.domain] = by_domain.get(row.domain, 0.0) + row.total_seconds
        return self.card_seconds / self.gpus + max(by_domain.values(), default=0.0)

    @property
    def disk(self) -> float:
        """Bytes of everything."""
        return sum(row.disk for row in self.rows)


def make_plan(planner: Planner) -> Plan:
    """Plan `results/<domain>/hr1.json` of every domain."""
    rows = _models(planner)
    for data in planner.domains.values():
        rows += _domain(planner, data)
    return Plan(rows, planner.machine.capacity, planner.config.plan.hardware.gpus, _notes(planner, rows))


def _domain(planner: Planner, data: DomainData) -> list[StagePlan]:
    rows = [
        corpus_stage(data),
        sasrec_stage(planner, data),
        *writing_stages(planner, data),
        thought_space_stage(planner, data),
        selection_stage(planner, data, "select-thought_space"),
        ranking_stage(planner, data, "ranker-thought_space", reason=True, trains=True),
        ranking_stage(planner, data, "ranker-slm_sft", trains=True),
        ranking_stage(planner, data, "baseline-llm_zero_shot", adapted=False),
    ]
    if planner.config.selection.behaviour == "history":  # the leak audit
        rows += [
            selection_stage(planner, data, "select-thought_space_oracle"),
            ranking_stage(planner, data, "oracle_predictions", ("test",), reason=True),
        ]
    return rows


def _models(planner: Planner) -> list[StagePlan]:
    rows = []
    for role, shape in (("slm", planner.slm), ("encoder", planner.encoder)):
        settings = getattr(planner.config.models, role)
        # What the hub sends stays in its cache; the prepared copy lies in resources/models.
        copies = 2 if settings.hub else 1
        disk = copies * parameters(shape) * (4 if settings.dtype == "float32" else 2)
        rows.append(StagePlan(EVERY_DOMAIN, f"model-{role}", "", 0, 0.0, disk))
    return rows


def _notes(planner: Planner, rows: Sequence[StagePlan]) -> list[str]:
    config, hardware = planner.config, planner.config.plan.hardware
    plan = config.plan
    notes = [note for data in planner.domains.values() for note in data.notes]
    if planner.slm_lengths.exact:
        notes.append("prompt tokens: counted by the model's own tokenizer")
    else:
        notes.append(
            f"prompt tokens: assumed, {plan.characters_per_token:g} characters each (the model is not prepared here)"
        )
    written = any(data.answers for data in planner.domains.values())
    notes.append(
        "new tokens: the mean of finished texts, "
        f"{plan.answer_share:g} of max_new_tokens (plan.answer_share) where there are none"
        if written
        else f"new tokens: assumed, {plan.answer_share:g} of max_new_tokens (plan.answer_share)"
    )
    place = f"{hardware.gpus} card(s) of" if hardware.gpus else "no card, cores of"
    origin = "the defaults" if hardware == HardwareSettings() else "as configured"
    notes.append(
        f"seconds: {place} {hardware.tflops:g} TFLOPS x {hardware.compute_share:g} and "
        f"{hardware.bandwidth_gb:g} GB/s x {hardware.bandwidth_share:g} (plan.hardware: {origin}; --measured corrects)"
    )
    if planner.corrections:
        told = ", ".join(f"{name} x {factor:.2f}" for name, factor in planner.corrections.items())
        notes.append(f"corrected by a finished run: {told}")
    notes.append(
        f"epochs: {plan.epochs_share:g} of the configured ones (plan.epochs_share); early stopping may end sooner"
    )
    notes += [
        "left out, minutes on the CPU: examples, candidates, neighbours, SASRec's trials, counting baselines, figures",
        "left out, hours with large models: the other systems of results/tables/overall.csv and every further trial",
    ]
    side_by_side = [row.memory.sequences for row in rows if row.memory and row.memory.sequences is not None]
    if side_by_side:
        notes.append(
            f"vLLM's cache holds at least {min(side_by_side)} sequences of mean length side by side "
            f"(generation.batch_size asks for {config.generation.batch_size})"
        )
    return notes
