"""`pulse plan`: prompts, tokens, hours, disk and memory of every stage, before anything runs.

The configuration is read as Snakemake reads it: config.yaml, then --configfile, then --config.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from pulse_core.artifacts import write_json
from pulse_core.config import Config, load_config
from pulse_core.errors import InputError
from pulse_core.planning.calibrate import Comparison, compare, corrections, doubts
from pulse_core.planning.plan import Plan, make_plan
from pulse_core.planning.stage_plan import Planner, planned_engine
from pulse_core.planning.table import WIDTH, plain, render, render_comparison
from workflow_scripts.cli.command import CONFIG_OPTIONS, FILE_OPTIONS, nested_values
from workflow_scripts.cli.given_config import check_file, check_pairs
from workflow_scripts.cli.plan_inputs import (
    WRITTEN,
    domain_data,
    encoder_lengths,
    finished_run,
    language_lengths,
    model_directory,
    model_shape,
)
from workflow_scripts.job.stage import REPOSITORY
from workflow_scripts.wiring.locations import here_or_in_checkout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.wiring import typed_values


def add_command(commands: Any) -> None:
    """Add `plan` to the subcommands of `pulse`."""
    parser = commands.add_parser("plan", help="what a run will take, before anything runs", description=__doc__)
    several = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument(*sorted(FILE_OPTIONS), metavar="FILE", type=Path, dest="configfile", **several)
    parser.add_argument(*sorted(CONFIG_OPTIONS), metavar="KEY=VALUE", dest="config", **several)
    parser.add_argument("--directory", "-d", type=Path, help="where results/ and resources/ are (default: here)")
    parser.add_argument(
        "--measured",
        type=Path,
        metavar="RESULTS",
        help="correct seconds by a finished run on the machine planned for, such as results/luxury",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Plan and print. 1 where a stage does not fit, or something given cannot be used."""
    try:
        values = layered(given.configfile, given.config)
        output = given.json.absolute() if given.json else None
        if given.directory:
            os.chdir(given.directory)
        comparisons = []
        if given.measured:
            comparisons = measure(given.measured, values)
        plan = planned(load_config(values), comparisons)
        if output:
            write_json(output, plain(plan))
    except (InputError, WorkflowError, OSError) as error:
        Console(stderr=True).print(f"pulse plan: {error}", highlight=False, markup=False, soft_wrap=True)
        return 1
    console = Console(width=WIDTH, file=sys.stdout)
    if comparisons:
        render_comparison(comparisons, str(given.measured), console)
    render(plan, console)
    return 1 if plan.misfits else 0


def layered(files: list[Path], pairs: list[str]) -> dict[str, Any]:
    """config.yaml with `files` and `key=value` pairs laid over it, as Snakemake does."""
    values: dict[str, Any] = {}
    for file in (REPOSITORY / "config.yaml", *files):
        check_file(file)
        update_config(values, load_configfile(str(file)))
    check_pairs(pairs)
    update_config(values, typed_values(nested_values(["--config", *pairs])[1:]))
    return values


def planned(config: Config, comparisons: list[Comparison]) -> Plan:
    """The plan of all domains, with what was found on the disk below the working directory."""
    known, doubted = corrections(comparisons), doubts(comparisons)
    results = {name: Path("results") / name for name in config.domains}
    plan = make_plan(_planner(config, results, known))
    return replace(plan, notes=[*plan.notes, *doubted])


def measure(results: Path, values: Mapping[str, Any]) -> list[Comparison]:
    """A finished run's stages beside their plan, made with its own settings."""
    config, told = finished_run(results, values)
    domain = told["domain"]
    found = compare(make_plan(_planner(config, {domain: results}, {})), told["stages"])
    others: set[str] = set()
    if planned_engine(load_config(values)) != planned_engine(config):
        others |= {*WRITTEN}  # how fast one engine writes says nothing about the other
    if told["settings"]["thought_space"]["domains"]:
        others |= {"thought_space"}  # trained on domains whose results may not be here
    return [each for each in found if each.stage not in others]


def _planner(config: Config, results: Mapping[str, Path], known: Mapping[str, float]) -> Planner:
    models = PreparedModels(dict(config.models))
    directories = {role: model_directory(models, role, Path()) for role in ("slm", "encoder")}
    shapes = {role: model_shape(models.roles[role], directories[role], config.plan) for role in directories}
    return Planner(
        config=config,
        templates={
            name: here_or_in_checkout(getattr(config.prompts, name), REPOSITORY)
            for name in type(config.prompts).model_fields
        },
        slm=shapes["slm"],
        encoder=shapes["encoder"],
        slm_lengths=language_lengths(directories["slm"], config.plan),
        encoder_lengths=encoder_lengths(directories["encoder"], config.plan),
        domains={name: domain_data(name, config, folder) for name, folder in results.items()},
        corrections=known,
    )
