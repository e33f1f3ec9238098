"""`pulse plan`: prompts, tokens, hours, disk and memory of every stage, before anything runs.

The configuration is read as Snakemake reads it: config.yaml, then --configfile, then --config.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from pulse_core.artifacts import write_json
from pulse_core.config import Config, load_config
from pulse_core.errors import InputError
from pulse_core.planning.plan import Comparison, compare, make_plan
from pulse_core.planning.stages import Planner, planned_engine
from pulse_core.planning.table import WIDTH, plain, render, render_comparison
from workflow_scripts.cli.command import CONFIG_OPTIONS, FILE_OPTIONS, nested_values
from workflow_scripts.cli.given_config import check_file, check_pairs
from workflow_scripts.cli.plan_inputs import TEXTS, domain_data, finished_run, model_directory, model_shape
from workflow_scripts.job.stage import REPOSITORY
from workflow_scripts.wiring.locations import here_or_in_checkout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.wiring import typed_values


def add_command(commands: Any) -> None:
    """Add `plan` to the subcommands of `pulse`."""
    parser = commands.add_parser("plan", help="estimate what a run will take", description=__doc__)
    several: dict[str, Any] = {"nargs": "+", "default": [], "action": "extend"}
    parser.add_argument(*sorted(FILE_OPTIONS), metavar="FILE", type=Path, dest="configfile", **several)
    parser.add_argument(*sorted(CONFIG_OPTIONS), metavar="KEY=VALUE", dest="config", **several)
    parser.add_argument("--directory", "-d", type=Path, help="where results/ and resources/ are (default: here)")
    help_measured = "correct the hours from a finished run on the target machine, such as results/luxury"
    parser.add_argument("--measured", type=Path, metavar="RESULTS", help=help_measured)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Plan and print. Returns 1 if a stage does not fit or an option is invalid."""
    try:
        values = layered(given.configfile, given.config)
        output = given.json.absolute() if given.json else None
        if given.directory:
            os.chdir(given.directory)
        comparisons = measure(given.measured, values) if given.measured else []
        config = load_config(values)
        corrections = {one.stage: one.correction for one in comparisons if one.plausible}
        plan = make_plan(_planner(config, {name: Path("results") / name for name in config.domains}, corrections))
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


def measure(results: Path, values: Mapping[str, Any]) -> list[Comparison]:
    """The stages of a finished run beside a plan made with its settings."""
    config, figures = finished_run(results, values)
    comparisons = compare(make_plan(_planner(config, {figures["domain"]: results}, {})), figures["stages"])
    skipped: set[str] = set()
    if planned_engine(load_config(values)) != planned_engine(config):
        skipped |= {*TEXTS}  # the speed of one engine says nothing about the other
    if figures["settings"]["thought_space"]["domains"]:
        skipped |= {"thought_space"}  # trained on domains whose results may not be here
    return [one for one in comparisons if one.stage not in skipped]


def _planner(config: Config, results: Mapping[str, Path], corrections: Mapping[str, float]) -> Planner:
    models = PreparedModels(dict(config.models))
    directories = {role: model_directory(models, role) for role in ("slm", "encoder")}
    shapes = {role: model_shape(models.roles[role], place, config.plan) for role, place in directories.items()}
    tokenise = None
    if directories["slm"]:
        from pulse_core.generation.chat_tokens import ChatTokens  # takes seconds to import

        tokenise = ChatTokens(directories["slm"]).prompt
    names = type(config.prompts).model_fields
    templates = {name: here_or_in_checkout(getattr(config.prompts, name), REPOSITORY) for name in names}
    domains = {name: domain_data(name, config, folder) for name, folder in results.items()}
    return Planner(config, templates, shapes["slm"], shapes["encoder"], tokenise, domains, corrections)
