"""What `pulse plan` finds on the disk: finished tables, prepared models, and a finished run to measure by."""

import copy
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from snakemake.utils import update_config

from pulse_core.artifacts import read_json
from pulse_core.config import Config, load_config
from pulse_core.data.examples import SPLITS
from pulse_core.data.settings import SplitSettings
from pulse_core.errors import InputError
from pulse_core.keys import KEY, keys
from pulse_core.model_settings import ModelSettings
from pulse_core.planning.counting import Lengths, PromptLengths, characters
from pulse_core.planning.domain import DomainData, made_up_domain, neighbours_of, spread, with_target
from pulse_core.planning.settings import PlanSettings, ShapeSettings, SizeSettings
from pulse_core.planning.shapes import shape_of_config
from workflow_scripts.inputs import read_shop
from workflow_scripts.prepared_models import PreparedModels

# Stage -> the table of its texts.
WRITTEN = {
    "positive_rationales": "rationales/positive.parquet",
    "base_rationales": "rationales/base.parquet",
    "tree": "tree.parquet",
}


def model_directory(models: PreparedModels, role: str, root: Path) -> Path | None:
    """A directory with the role's config.json and tokenizer: prepared, given by path or inside a package."""
    settings = models.roles[role]
    places = [root / Path(models.weights(role)).parent]
    if settings.path:
        places.append(Path(settings.path))
    if settings.package:
        spec = importlib.util.find_spec(settings.package)
        folder = Path(next(iter(spec.submodule_search_locations or [""]))) if spec else None
        configs = sorted(folder.rglob("config.json"), key=lambda file: len(file.parts)) if folder else []
        places += [file.parent for file in configs]
    return next((place for place in places if (place / "config.json").is_file()), None)


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


def language_lengths(directory: Path | None, plan: PlanSettings) -> PromptLengths:
    """Lengths in the language model's own tokens where its tokenizer is here, else by characters."""
    if directory is None:
        return characters(plan.characters_per_token)
    from pulse_core.generation.chat_tokens import ChatTokens  # takes seconds to import

    chat = ChatTokens(directory)

    def text(given: str) -> list[int]:
        return chat.tokenizer(given, add_special_tokens=False)["input_ids"]

    return PromptLengths(request=chat.prompt, text=text)


def encoder_lengths(directory: Path | None, plan: PlanSettings) -> Lengths:
    """Lengths in the encoder's tokens, without the special ones."""
    if directory is None or not (directory / "tokenizer.json").is_file():
        return characters(plan.characters_per_token)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Lengths(text=lambda text: tokenizer.encode(text, add_special_tokens=False).ids)


def domain_data(name: str, config: Config, results: Path) -> DomainData:
    """A domain as far as it is counted below `results`, else of its assumed size.

    Raises:
        InputError: nothing tells the size of the domain.
    """
    source = config.domains[name].source
    if _holds(results, source):
        return _counted(name, config, results)
    build = f"`snakemake --cores 2 results/{name}/examples.parquet` counts it"
    if source == "synthetic":
        made = config.synthetic
        size = SizeSettings(
            users=made.users, items=made.items, interactions=max(round(made.users * made.mean_purchases), 1)
        )
        return made_up_domain(name, size, config, (f"{name}: size as the generator is set; {build}",))
    if name not in config.plan.domains:
        raise InputError(
            f"plan: how large is {name!r}? Build its examples (`snakemake --cores 2 results/{name}/examples.parquet`, "
            f"with the same --configfile), or give plan.domains.{name}: {{users: ..., items: ..., interactions: ...}}"
        )
    size = config.plan.domains[name]
    told = f"{name}: assumed {size.users:,} users, {size.items:,} items, {size.interactions:,} interactions"
    return made_up_domain(
        name,
        size,
        config,
        (f"{told} (plan.domains), titles of {config.plan.title_chars} characters; {build}",),
    )


def _holds(results: Path, source: str) -> bool:
    """Whether examples of the configured source lie there, and not those of a synthetic domain of the same name."""
    statistics = results / "corpus/statistics.json"
    if not (statistics.is_file() and (results / "examples.parquet").is_file()):
        return False
    return (read_json(statistics)["corpus"] == "synthetic") == (source == "synthetic")


def _counted(name: str, config: Config, results: Path) -> DomainData:
    corpus = results / "corpus"
    statistics = read_json(corpus / "statistics.json")
    size = SizeSettings(**{key: int(statistics[key]) for key in SizeSettings.model_fields})
    shop = read_shop(*(str(corpus / f"{table}.parquet") for table in ("items", "interactions", "reviews")))
    notes = [f"{name}: counted from {results}, whose candidates and texts were made with the settings of that time"]
    everyone = pd.read_parquet(results / "examples.parquet").sort_values(KEY, ignore_index=True)
    examples, counts = everyone[everyone["sampled"]], wanted_examples(everyone, config.split)
    if counts != _per_split(examples):
        examples = everyone
        notes.append(f"{name}: examples.parquet was sampled otherwise than configured; all its users stand for those")
    train = examples[examples["split"] == "train"]
    sample = spread(examples, config.plan.sample)
    if (results / "candidates.parquet").is_file():
        candidates = sample[KEY].merge(pd.read_parquet(results / "candidates.parquet"), on=KEY, how="left")
    else:
        candidates = with_target(sample, size.items, config.candidates.count)
        notes.append(f"{name}: candidates drawn for the plan (the stage has not run)")
    if (results / "neighbours.parquet").is_file():
        table = pd.read_parquet(results / "neighbours.parquet")
        neighbours = dict(zip(keys(table), (items.tolist() for items in table["items"]), strict=True))
    else:
        neighbours = neighbours_of(sample, size.items, config.neighbours.items)
        notes.append(f"{name}: items of similar users drawn for the plan (the stage has not run)")
    return DomainData(
        name=name,
        size=size,
        examples=counts,
        sample=sample,
        train_sample=spread(train, config.plan.sample),
        candidates=candidates,
        neighbours=neighbours,
        shop=shop,
        notes=tuple(notes),
        answers=_answers(results),
    )


def wanted_examples(everyone: pd.DataFrame, split: SplitSettings) -> dict[str, int]:
    """Examples of each split that this configuration samples, of a table of all examples."""
    rows, users = _per_split(everyone), everyone.groupby("split")["user"].nunique()
    counts = {}
    for name, count in rows.items():
        limit = getattr(split.sample_users, name)
        counts[name] = count if limit is None or limit >= users[name] else round(count * limit / users[name])
    return counts


def _per_split(examples: pd.DataFrame) -> dict[str, int]:
    return {name: int((examples["split"] == name).sum()) for name in SPLITS}


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
    file = results / "hr1.json"
    if not file.is_file():
        raise InputError(f"--measured: {file} is not there: give the results of a domain that is finished")
    told = read_json(file)
    missing = [key for key in ("settings", "models", "stages", "domain", "corpus", "protocol") if key not in told]
    if missing:
        raise InputError(f"--measured: {file} lacks {', '.join(missing)}: make it anew (snakemake {file})")
    own = copy.deepcopy(dict(values))
    update_config(own, told["settings"])
    own["domains"] = {told["domain"]: {"source": "synthetic" if told["corpus"] == "synthetic" else "files"}}
    own["thought_space"] = {**own.get("thought_space", {}), "domains": []}  # the others' results may not be here
    own["models"] = {role: _named(name) for role, name in told["models"].items()}
    own["generation"] = {**own.get("generation", {}), "engine": told["protocol"]["engine"]}
    own["testing"] = own["generation"]["engine"] == "fake"
    return load_config(own), told


def _named(name: str) -> dict[str, Any]:
    """The settings of a model that an artifact names (`ModelSettings.name`)."""
    origin, dtype = name.rsplit(":", 1)
    if "@" in origin:
        hub, revision = origin.rsplit("@", 1)
        return {"hub": hub, "revision": revision, "dtype": dtype}
    return {"path" if "/" in origin else "package": origin, "dtype": dtype}
