"""The plan as a table of at most 120 columns, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pulse_core.planning.memory import GIB
from pulse_core.planning.plan import PLAUSIBLE, Comparison, Plan

WIDTH = 120
TOTALS = ("gpu_seconds", "cpu_seconds", "wall_seconds", "disk_bytes", "misfits", "notes")


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def render(plan: Plan, console: Console) -> None:
    """Print rows by domain, totals, misfits and notes."""
    table = _table("stage", "work", "prompts", "computed", "new", "GPU", "CPU", "disk", "memory", "fits")
    domain = ""
    for row in plan.rows:
        if row.domain != domain:
            domain = row.domain
            table.add_section()
            table.add_row(domain)
        tokens = map(_count, (row.prompt_tokens, row.computed_tokens, row.new_tokens))
        times = (_time(row.seconds * row.on_gpu), _time(row.seconds * (not row.on_gpu)), _size(row.disk_bytes))
        fits = ("yes" if plan.fits(row) else "NO") if row.memory else ""
        table.add_row(f"  {row.stage}", f"{_count(row.count)} {row.unit}", *tokens, *times, _size(row.memory), fits)
    table.add_section()
    totals = (sum(getattr(row, f"{kind}_tokens") for row in plan.rows) for kind in ("prompt", "computed", "new"))
    times = (_time(plan.gpu_seconds), _time(plan.cpu_seconds), _size(plan.disk_bytes))
    table.add_row("total", "", *map(_count, totals), *times, "", "no" if plan.misfits else "yes")
    console.print(table)
    where = f"on {plan.gpus} GPU(s) of {plan.capacity / GIB:.0f} GiB" if plan.gpus else "on the CPU"
    console.print(f"From start to end {where}: about {_time(plan.wall_seconds)}.", highlight=False)
    for misfit in plan.misfits:
        console.print(f"Does not fit: {misfit}", highlight=False, soft_wrap=True)
    console.print("prompts, computed, new: tokens; computed are those of prompts that the prefix cache does not hold.")
    console.print("Counted and assumed:")
    for note in plan.notes:
        console.print(f"- {note}", highlight=False, width=WIDTH)


def render_comparison(comparisons: Sequence[Comparison], run: str, console: Console) -> None:
    """Print a finished run's seconds beside its plan."""
    table = _table("stage", "planned s", "measured s", "correction", "")
    for one in comparisons:
        note = "" if one.plausible else f"not applied: too short a run, or more than {PLAUSIBLE:g} times off"
        table.add_row(one.stage, f"{one.planned:,.0f}", f"{one.measured:,.0f}", f"{one.correction:.2f}", note)
    console.print(f"The finished run {run} beside its plan; corrections leave out the start-up of jobs:")
    console.print(table)


def _rounded(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def _count(number: float) -> str:
    if number < 1e5:
        return f"{number:,.0f}" if number else ""
    scale, unit = next((scale, unit) for scale, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= scale)
    return f"{_rounded(number / scale)} {unit}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds else ""
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{_rounded(seconds / 3600)} h"


def _size(size: float) -> str:
    if size < 2**20:
        return f"{size / 2**10:.0f} KiB" if size else ""
    return f"{size / 2**20:.0f} MiB" if size < GIB else f"{_rounded(size / GIB)} GiB"


def plain(plan: Plan) -> dict[str, Any]:
    """The figures for --json: seconds, bytes and tokens, unrounded."""
    rows = [{**asdict(row), "seconds": row.seconds, "fits": plan.fits(row)} for row in plan.rows]
    return {"stages": rows, "capacity_bytes": plan.capacity, **{name: getattr(plan, name) for name in TOTALS}}
