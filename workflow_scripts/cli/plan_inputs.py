"""What `pulse plan` reads from disk: finished tables, prepared models, and a finished run to correct the plan from."""

import copy
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from snakemake.utils import update_config

from pulse_core.artifacts import read_json
from pulse_core.config import Config, load_config
from pulse_core.errors import InputError
from pulse_core.model_settings import ModelSettings, config_directory, local_directory
from pulse_core.plan_settings import PlanSettings, ShapeSettings, SizeSettings
from pulse_core.planning.domain import DomainData, make_domain, placeholder_corpus
from pulse_core.planning.memory import shape_of_config
from workflow_scripts.wiring.layout import (
    BASE_RATIONALES,
    CATALOGUE,
    HR1,
    INTERACTIONS,
    POSITIVE_RATIONALES,
    REVIEWS,
    STATISTICS,
    TREE,
    USERS,
    of_domain,
)
from workflow_scripts.wiring.prepared_models import PreparedModels

CORPUS = {"users": USERS, "items": CATALOGUE, "interactions": INTERACTIONS, "reviews": REVIEWS}
TEXTS = {"positive_rationales": POSITIVE_RATIONALES, "base_rationales": BASE_RATIONALES, "tree": TREE}


def model_directory(models: PreparedModels, role: str) -> Path | None:
    """A directory with the model's config.json: prepared, configured, or in a package."""
    settings = models.roles[role]
    prepared = Path(models.weights(role)).parent
    if (prepared / "config.json").is_file():
        return prepared
    with suppress(InputError):  # not on this machine: plan.models may have its shape
        return None if settings.hub else config_directory(local_directory(settings))
    return None


def model_shape(settings: ModelSettings, directory: Path | None, plan: PlanSettings) -> ShapeSettings:
    """The dimensions of a model, from its config.json or plan.models.

    Raises:
        InputError: neither has them.
    """
    if directory:
        return shape_of_config(read_json(directory / "config.json"), str(directory / "config.json"))
    origin = settings.path or settings.package or settings.hub or ""
    if origin not in plan.models:
        raise InputError(
            f"the shape of {origin} is not known: give it under plan.models (layers, hidden, heads, ...; "
            f"config/paper.yaml does), or prepare the model. Known: {', '.join(plan.models)}"
        )
    return plan.models[origin]


def domain_data(name: str, config: Config, results: Path) -> DomainData:
    """A domain from its corpus below `results`, otherwise from its expected size.

    Raises:
        InputError: its size is not known.
    """
    source, file = config.domains[name].source, results / of_domain(STATISTICS)
    statistics = read_json(file) if file.is_file() else None
    if statistics and (statistics["corpus"] == "synthetic") == (source == "synthetic"):  # the same corpus
        size = SizeSettings(**{key: int(statistics[key]) for key in SizeSettings.model_fields})
        tables = {key: pd.read_parquet(results / of_domain(table)) for key, table in CORPUS.items()}
        note = f"{name}: counted in {results}; its corpus and texts keep the settings that they were made with"
        return make_domain(name, size, config, tables, note, _answer_tokens(results))
    build = f"`snakemake --cores 2 {file}`"
    if source == "synthetic":
        users, items = config.synthetic.users, config.synthetic.items
        size = SizeSettings(
            users=users, items=items, interactions=max(round(users * config.synthetic.mean_purchases), 1)
        )
        origin = "size of section `synthetic`"
    elif name in config.plan.domains:
        size, origin = config.plan.domains[name], "size of plan.domains"
    else:
        raise InputError(
            f"plan: how large is {name!r}? Build its corpus ({build}, with the same --configfile), or give "
            f"plan.domains.{name}: {{users: ..., items: ..., interactions: ...}}"
        )
    note = (
        f"{name}: {origin}, {size.users:,} users, {size.items:,} items, {size.interactions:,} interactions, titles of "
        f"{config.plan.title_chars} characters; {build} counts it"
    )
    return make_domain(name, size, config, placeholder_corpus(size, config), note, {})


def _answer_tokens(results: Path) -> dict[str, float]:
    """Mean tokens of the finished texts of each writing stage; the root of a tree is not one of its texts."""
    means = {}
    for stage, pattern in TEXTS.items():
        if (file := results / of_domain(pattern)).is_file():
            table = pd.read_parquet(file)
            means[stage] = float(table.loc[table["depth"] > 0 if "depth" in table else slice(None), "tokens"].mean())
    return means


def finished_run(results: Path, values: Mapping[str, Any]) -> tuple[Config, dict[str, Any]]:
    """The configuration of the run that wrote `results`/hr1.json, laid over `values`, and the content of hr1.json.

    Raises:
        InputError: there is no hr1.json, or it does not say what it was made with.
    """
    file = results / of_domain(HR1)
    if not file.is_file():
        raise InputError(f"--measured: {file} does not exist: give the results of a finished domain")
    figures = read_json(file)
    wanted = ("settings", "models", "stages", "seeds", "domain", "corpus", "protocol")
    if missing := [key for key in wanted if key not in figures]:
        raise InputError(f"--measured: {file} lacks {', '.join(missing)}: make it again (snakemake {file})")
    run = copy.deepcopy(dict(values))
    update_config(run, figures["settings"])
    run["domains"] = {figures["domain"]: {"source": "synthetic" if figures["corpus"] == "synthetic" else "files"}}
    run["thought_space"] = {**run.get("thought_space", {}), "domains": []}  # the others' results may not be here
    run["models"] = {role: ModelSettings.from_name(name).model_dump() for role, name in figures["models"].items()}
    engine, shards = figures["protocol"]["engine"], figures["stages"]["tree"]["jobs"] or 1
    run["generation"] = {**run.get("generation", {}), "engine": engine, "shards": shards}
    run |= {"seed": figures["seeds"]["run"], "testing": engine == "fake"}
    return load_config(run), figures
