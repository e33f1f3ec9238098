"""What a finished run says about the arithmetic: real seconds over planned ones, stage by stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulse_core.planning.plan import Plan

PLAUSIBLE = 10.0  # a correction beyond this (or its inverse) hardly comes from the same kind of machine


@dataclass(frozen=True)
class Comparison:
    """One stage of a finished run beside its plan: from start to end of each job, all jobs together."""

    stage: str
    planned: float
    real: float
    correction: float | None  # of the work; None: too short to tell work from start


def compare(plan: Plan, stages: Mapping[str, Mapping[str, Any]]) -> list[Comparison]:
    """The plan of a finished run beside the `stages` of its hr1.json; stages that were not timed are left out."""
    found = []
    for row in plan.rows:
        real = stages.get(row.name, {}).get("seconds")
        if real is not None and row.seconds and row.name != "corpus":  # seconds, and no model to measure by
            starts = row.jobs * row.start_seconds
            work = float(real) - starts
            correction = work / (row.job_seconds - starts) if work > 0 else None
            found.append(Comparison(row.name, row.job_seconds, float(real), correction))
    return found


def corrections(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """What to multiply a stage's planned seconds with; corrections that are hardly right are not made (`doubts`)."""
    return {each.stage: each.correction for each in comparisons if each.correction is not None and _plausible(each)}


def _plausible(each: Comparison) -> bool:
    return each.correction is not None and 1 / PLAUSIBLE <= each.correction <= PLAUSIBLE


def doubts(comparisons: Sequence[Comparison]) -> list[str]:
    """Lines about corrections that are not made."""
    short = [each.stage for each in comparisons if each.correction is None]
    far = [each.stage for each in comparisons if each.correction is not None and not _plausible(each)]
    lines = []
    if short:
        lines.append(f"not corrected, too short in the finished run to tell work from start: {', '.join(short)}")
    if far:
        lines.append(
            f"not corrected, more than {PLAUSIBLE:g} times off: {', '.join(far)} (a run too short to measure, or "
            "plan.hardware describes another machine than its)"
        )
    return lines
