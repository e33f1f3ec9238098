"""`pulse verify`: lists artifacts that differ from what their stage wrote, and what rebuilding them costs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pulse_core.errors import InputError
from pulse_core.planning.table import WIDTH
from pulse_core.verification import Finding, size_differences, verify


def add_command(commands: Any) -> None:
    """Add `verify` to the subcommands of `pulse`."""
    parser = commands.add_parser("verify", help="check artifacts against what their stages wrote", description=__doc__)
    parser.add_argument("results", nargs="?", default="results", type=Path, help="folder to verify (default: results)")
    parser.set_defaults(run=run)


def warn(results: Path) -> None:
    """Warn of artifacts whose size has changed, which Snakemake may take for up to date."""
    try:
        messages = size_differences(results)
    except InputError as error:
        messages = [str(error)]
    for message in messages:
        sys.stderr.write(f"WARNING {message}\n")


def run(given: argparse.Namespace) -> int:
    """Verify and print. Returns 1 if a file is not what its stage wrote."""
    try:
        count, findings = verify(given.results)
    except InputError as error:
        Console(stderr=True).print(f"pulse verify: {error}", highlight=False, markup=False, soft_wrap=True)
        return 1
    console = Console(file=sys.stdout, width=WIDTH, highlight=False, markup=False, soft_wrap=True)
    if findings:
        _render(findings, console)
    else:
        console.print(f"{given.results}: {count} files are what their stages wrote.")
    return 1 if findings else 0


def _render(findings: Sequence[Finding], console: Console) -> None:
    """Print the damaged files, what rerunning costs, and the commands."""
    table = Table("file", "problem", "rule", "seconds", "stages after it", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for finding in findings:
        table.add_row(_short(finding.path), finding.problem, *_cost(finding))
    console.print(table, soft_wrap=False)
    if commands := list(dict.fromkeys(finding.record.command for finding in findings if finding.record)):
        console.print("Make them again, then run as before; later stages rerun only if the new bytes differ:")
        for command in commands:
            console.print(f"  {command}")
    if any(finding.record is None for finding in findings):
        console.print("Files without a record were left by a stage that did not finish, an older version or by hand:")
        console.print("  delete them, or make each again with `snakemake FILE --cores all --force`")


def _cost(finding: Finding) -> tuple[str, str, str]:
    """Rule, seconds of the stage, and seconds and names of the stages after it."""
    if finding.record is None:
        return "", "", ""
    names = dict.fromkeys(record.rule for record in finding.later)
    later = f"up to {sum(record.seconds for record in finding.later):,.0f} s: {', '.join(names)}" if names else "none"
    return finding.record.rule, f"{finding.record.seconds:,.0f}", later


def _short(path: Path) -> str:
    """The path, relative to the working directory if inside it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
