"""What `pulse plan` finds on the disk: finished tables, prepared models, and a finished run to measure by."""

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
from pulse_core.planning.counting import Lengths
from pulse_core.planning.domain import DomainData, made_up_corpus, make_domain
from pulse_core.planning.shapes import shape_of_config
from workflow_scripts.wiring.layout import (
    BASE_RATIONALES,
    CANDIDATES,
    CATALOGUE,
    HR1,
    INTERACTIONS,
    NEIGHBOURS,
    POSITIVE_RATIONALES,
    REVIEWS,
    STATISTICS,
    TREE,
    USERS,
    of_domain,
)
from workflow_scripts.wiring.prepared_models import PreparedModels

CORPUS = {"users": USERS, "items": CATALOGUE, "interactions": INTERACTIONS, "reviews": REVIEWS}
DRAWN = {"candidates": CANDIDATES, "neighbours": NEIGHBOURS}
# Stage -> the table of its texts.
WRITTEN = {
    "positive_rationales": of_domain(POSITIVE_RATIONALES),
    "base_rationales": of_domain(BASE_RATIONALES),
    "tree": of_domain(TREE),
}


def model_directory(models: PreparedModels, role: str, root: Path) -> Path | None:
    """A directory with the role's config.json and tokenizer: prepared, given by path or inside a package."""
    settings = models.roles[role]
    prepared = root / Path(models.weights(role)).parent
    if (prepared / "config.json").is_file():
        return prepared
    with suppress(InputError):  # not installed, or not there: plan.models may know its shape
        return None if settings.hub else config_directory(local_directory(settings))
    return None


def model_shape(settings: ModelSettings, directory: Path | None, plan: PlanSettings) -> ShapeSettings:
    """The shape of a model: of its own config.json, else as plan.models gives it.

    Raises:
        InputError: neither is there.
    """
    if directory:
        return shape_of_config(read_json(directory / "config.json"), str(directory / "config.json"))
    origin = settings.path or settings.package or settings.hub or ""
    if origin not in plan.models:
        raise InputError(
            f"the shape of {origin} is not known: give it under plan.models (layers, hidden, heads, ...; "
            f"config/paper.yaml does), or prepare the model. There are {', '.join(plan.models)}"
        )
    return plan.models[origin]


def language_lengths(directory: Path | None, plan: PlanSettings) -> Lengths:
    """Lengths in the language model's own tokens where its tokenizer is here, else by characters."""
    if directory is None:
        return Lengths(size=plan.characters_per_token)
    from pulse_core.generation.chat_tokens import ChatTokens  # takes seconds to import

    chat = ChatTokens(directory)

    def text(given: str) -> list[int]:
        return chat.tokenizer(given, add_special_tokens=False)["input_ids"]

    return Lengths(text=text, prompt=chat.prompt, exact=True)


def encoder_lengths(directory: Path | None, plan: PlanSettings) -> Lengths:
    """Lengths in the encoder's tokens, without the special ones."""
    if directory is None or not (directory / "tokenizer.json").is_file():
        return Lengths(size=plan.characters_per_token)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Lengths(text=lambda text: tokenizer.encode(text, add_special_tokens=False).ids, exact=True)


def domain_data(name: str, config: Config, results: Path) -> DomainData:
    """A domain as far as it is counted below `results`, else of its assumed size.

    Raises:
        InputError: nothing tells the size of the domain.
    """
    source, statistics = config.domains[name].source, results / of_domain(STATISTICS)
    told = read_json(statistics) if statistics.is_file() else None
    if told and (told["corpus"] == "synthetic") == (source == "synthetic"):  # not another source's of the same name
        size = SizeSettings(**{key: int(told[key]) for key in SizeSettings.model_fields})
        note = f"{name}: counted from {results}, whose corpus and texts were made with the settings of that time"
        finished = _tables(results, DRAWN)
        return make_domain(name, size, config, _tables(results, CORPUS), finished, (note,), _answers(results))
    build = f"`snakemake --cores 2 {statistics}` counts it"
    if source == "synthetic":
        made = config.synthetic
        interactions = max(round(made.users * made.mean_purchases), 1)
        size = SizeSettings(users=made.users, items=made.items, interactions=interactions)
        note = f"{name}: size as the generator is set; {build}"
    elif name in config.plan.domains:
        size = config.plan.domains[name]
        note = (
            f"{name}: assumed {size.users:,} users, {size.items:,} items, {size.interactions:,} interactions "
            f"(plan.domains), titles of {config.plan.title_chars} characters; {build}"
        )
    else:
        raise InputError(
            f"plan: how large is {name!r}? Build its corpus (`snakemake --cores 2 {statistics}`, with "
            f"the same --configfile), or give plan.domains.{name}: {{users: ..., items: ..., interactions: ...}}"
        )
    return make_domain(name, size, config, made_up_corpus(size, config), None, (note,), {})


def _tables(results: Path, tables: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Those of `tables` (name -> path pattern) that are finished."""
    files = {name: results / of_domain(table) for name, table in tables.items()}
    return {name: pd.read_parquet(file) for name, file in files.items() if file.is_file()}


def _answers(results: Path) -> dict[str, float]:
    """Mean tokens of the finished texts of each writing stage; a tree's root is no text of its own."""
    found = {}
    for stage, file in WRITTEN.items():
        if (results / file).is_file():
            table = pd.read_parquet(results / file)
            tokens = table.loc[table["depth"] > 0, "tokens"] if "depth" in table else table["tokens"]
            found[stage] = float(tokens.mean())
    return found


def finished_run(results: Path, values: Mapping[str, Any]) -> tuple[Config, dict[str, Any]]:
    """The configuration of the run that wrote `results`/hr1.json, laid over `values`, and what hr1.json says.

    Raises:
        InputError: there is no hr1.json, or it does not say what it was made with.
    """
    file = results / of_domain(HR1)
    if not file.is_file():
        raise InputError(f"--measured: {file} is not there: give the results of a domain that is finished")
    told = read_json(file)
    wanted = ("settings", "models", "stages", "seeds", "domain", "corpus", "protocol")
    missing = [key for key in wanted if key not in told]
    if missing:
        raise InputError(f"--measured: {file} lacks {', '.join(missing)}: make it anew (snakemake {file})")
    own = copy.deepcopy(dict(values))
    update_config(own, told["settings"])
    own["domains"] = {told["domain"]: {"source": "synthetic" if told["corpus"] == "synthetic" else "files"}}
    own["thought_space"] = {**own.get("thought_space", {}), "domains": []}  # the others' results may not be here
    own["models"] = {role: ModelSettings.from_name(name).model_dump() for role, name in told["models"].items()}
    engine, shards = told["protocol"]["engine"], told["stages"]["tree"]["jobs"] or 1
    own["generation"] = {**own.get("generation", {}), "engine": engine, "shards": shards}
    own |= {"seed": told["seeds"]["run"], "testing": engine == "fake"}
    return load_config(own), told
