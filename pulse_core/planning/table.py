"""The plan as text of at most 120 columns, and as plain values for JSON."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pulse_core.planning.calibrate import Comparison
from pulse_core.planning.memory import GIB
from pulse_core.planning.plan import Plan
from pulse_core.planning.stage_plan import StagePlan

WIDTH = 120
HEADINGS = ("stage", "work", "prompts", "computed", "new", "GPU", "CPU", "disk", "memory", "fits")


def render(plan: Plan, console: Console) -> None:
    """Print rows by domain, totals, misfits and assumptions."""
    table = Table(*HEADINGS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    table.columns[0].no_wrap = True
    domain = ""
    for row in plan.rows:
        if row.domain != domain:
            domain = row.domain
            table.add_section()
            table.add_row(f"{domain}")
        table.add_row(*_cells(plan, row))
    table.add_section()
    table.add_row(
        "together",
        "",
        _count(sum(row.prompt_tokens for row in plan.rows)),
        _count(sum(row.computed_tokens for row in plan.rows)),
        _count(sum(row.new_tokens for row in plan.rows)),
        _time(plan.card_seconds),
        _time(plan.cpu_seconds),
        _size(plan.disk),
        "",
        "no" if plan.misfits else "yes",
    )
    console.print(table)
    where = f"on {plan.gpus} card(s) of {plan.capacity / GIB:.0f} GiB" if plan.gpus else "on the CPU"
    console.print(f"From start to end {where}: about {_time(plan.wall_seconds)}.", highlight=False)
    for misfit in plan.misfits:
        console.print(f"Does not fit: {misfit}", highlight=False, soft_wrap=True)
    console.print("Prompts, computed and new are tokens; computed: of the prompts, what no cache holds yet.")
    console.print("Counted and assumed:")
    for note in plan.notes:
        console.print(f"- {note}", highlight=False, width=WIDTH)


def render_comparison(comparisons: Sequence[Comparison], run: str, console: Console) -> None:
    """Print a finished run's seconds beside what the arithmetic says of it."""
    table = Table("stage", "planned s", "real s", "correction", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in comparisons:
        told = "-" if each.correction is None else f"{each.correction:.2f}"
        table.add_row(each.stage, f"{each.planned:,.0f}", f"{each.real:,.0f}", told)
    console.print(f"The finished run {run} beside its plan; corrections are of the work, without the start of jobs:")
    console.print(table)


def _cells(plan: Plan, row: StagePlan) -> tuple[str, ...]:
    seconds = _time(row.total_seconds)
    return (
        f"  {row.name}",
        f"{_count(row.count)} {row.unit}" if row.unit else "",
        _count(row.prompt_tokens),
        _count(row.computed_tokens),
        _count(row.new_tokens),
        seconds if row.on_card else "",
        "" if row.on_card else seconds,
        _size(row.disk),
        _size(row.memory.total) if row.memory else "",
        "" if row.memory is None else "yes" if plan.fits(row) else "NO",
    )


def _count(number: float) -> str:
    if number < 1e5:
        return f"{number:,.0f}" if number else ""
    if number < 1e6:
        return f"{number / 1e3:.0f} k"
    if number < 1e9:
        return f"{number / 1e6:.1f} M" if number < 1e8 else f"{number / 1e6:.0f} M"
    return f"{number / 1e9:.1f} G"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds else ""
    hours = seconds / 3600
    return f"{seconds / 60:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"


def _size(size: float) -> str:
    if size < 2**20:
        return f"{size / 2**10:.0f} KiB" if size else ""
    if size < GIB:
        return f"{size / 2**20:.0f} MiB"
    return f"{size / GIB:.1f} GiB" if size < 100 * GIB else f"{size / GIB:,.0f} GiB"


def plain(plan: Plan) -> dict[str, Any]:
    """The figures for --json: seconds, bytes and tokens, unrounded."""
    return {
        "stages": [
            {
                "domain": row.domain,
                "stage": row.name,
                "unit": row.unit,
                "count": row.count,
                "texts": row.texts,
                "prompt_tokens": row.prompt_tokens,
                "computed_tokens": row.computed_tokens,
                "new_tokens": row.new_tokens,
                "on": "card" if row.on_card else "cpu",
                "jobs": row.jobs,
                "processes": row.processes,
                "seconds": row.total_seconds,
                "disk_bytes": row.disk,
                "memory_bytes": dict(row.memory.parts) if row.memory else None,
                "fits": plan.fits(row),
            }
            for row in plan.rows
        ],
        "card_seconds": plan.card_seconds,
        "cpu_seconds": plan.cpu_seconds,
        "wall_seconds": plan.wall_seconds,
        "disk_bytes": plan.disk,
        "card_bytes": plan.capacity,
        "misfits": plan.misfits,
        "notes": list(plan.notes),
    }
