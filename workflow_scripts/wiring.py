"""What the rules ask while the workflow is put together: validated settings, code hashes, threads, where inputs lie.

Nothing here imports torch: every Snakemake call, dry runs too, pays for these imports.
"""

import contextlib
import copy
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from pulse_core.accelerators import allowed_devices
from pulse_core.code_version import code_version
from pulse_core.config import Config, load_config
from pulse_core.data.raw_reader import find_raw
from pulse_core.data.sources import missing_files_message
from pulse_core.errors import InputError
from workflow_scripts import driver
from workflow_scripts.prepared_models import PreparedModels

SCRIPTS = "workflow_scripts"
RAW_FILES = ("reviews", "metadata")
ORACLE = "_oracle"
FROZEN = ("sbert", "distilbert")  # scorers whose encoder is the frozen model of the same role
# What hr1.json repeats of the configuration: all that its figures follow from.
SETTINGS = (
    *("corpus", "split", "sasrec", "candidates", "neighbours", "rationales", "thought_space", "tree", "selection"),
    *("ranker", "evaluation"),
)
SHARED_RESULTS = ("tables", "figures")  # directories of results/ that are no domain's
DEFAULT_THREADS = 8  # of a torch job on a cluster, where Snakemake knows no number of cores; --set-threads changes it


def torch_threads(cores: int | None, gpus: int) -> int:
    """Threads of a rule that runs torch: all cores on a CPU machine, so that one such job runs at a time (two at once
    on the same cores take two to six times longer), and a fair share beside each accelerator."""
    if not cores:
        return DEFAULT_THREADS
    return cores if gpus == 0 else max(1, cores // gpus)


def typed_values(arguments: Iterable[str]) -> dict[str, Any]:
    """What `--config key=value section={key: value}` says, typed as in a file: Snakemake leaves most of it text."""
    values: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        with contextlib.suppress(yaml.YAMLError):
            update_config(values, {name: yaml.safe_load(text)})
    return values


def here_or_in_checkout(configured: str, root: Path) -> Path:
    """A path of the configuration: below the working directory or, if it is only there, below the checkout `root`."""
    path = Path(configured)
    # Relative where it can be: an absolute path would rerun stages after the checkout moves.
    return root / path if not path.exists() and (root / path).exists() else path


def file_hash(path: str) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class Wiring:
    """The answers for one Snakemake call."""

    def __init__(self, config: dict[str, Any], workflow: Any) -> None:
        self.root = Path(workflow.basedir)
        self._workflow = workflow
        if not workflow.is_main_process:
            self._readable(driver.refuse_orphan)
        # Jobs import the pulse_core and workflow_scripts of this checkout, installed or not.
        others = [
            path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(self.root))
        ]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(self.root), *others])
        values = copy.deepcopy(config)
        update_config(values, typed_values(workflow.config_settings.config_args or ()))
        self.settings: Config = self._readable(load_config, values)
        self.models = PreparedModels(dict(self.settings.models))
        self._check_targets(argument for argument in sys.argv[1:] if argument.startswith("results/"))

    def _check_targets(self, targets: Iterable[str]) -> None:
        """Raise a WorkflowError for a target of a domain that this configuration does not have.

        Snakemake tells the workflow its targets only after it has failed to find their rules.
        """
        for target in targets:
            parts = Path(target).parts
            if len(parts) > 2 and parts[0] == "results" and parts[1] not in (*self.settings.domains, *SHARED_RESULTS):
                known = ", ".join(self.settings.domains)
                raise WorkflowError(
                    f"{target}: no domain {parts[1]!r} is configured, there are {known}. Name it under `domains`, or "
                    "lay a file over config.yaml that does (--configfile config/amazon-small.yaml)"
                )

    def lock_working_directory(self) -> None:
        """Make this process the only driver in the working directory, until it ends, however it ends.

        Raises:
            WorkflowError: another call is at work here.
        """
        self._lock = self._readable(driver.take_working_directory)

    @staticmethod
    def _readable(function: Any, *arguments: Any) -> Any:
        """Errors a user can mend, as Snakemake shows them without a traceback."""
        try:
            return function(*arguments)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def code(self, script: str) -> str:
        """The version of `workflow_scripts/<script>.py` with all of pulse_core behind it."""
        return code_version(f"{SCRIPTS}/{script}.py", self.root)

    def torch_threads(self, _wildcards: Any) -> int:
        """Threads of a torch rule in this call."""
        return torch_threads(self._workflow.resource_settings.cores, len(allowed_devices()))

    def training_threads(self, section: str) -> Callable[[Any], int]:
        """Threads of a rule that trains with the `processes` of a section: each has a torch rule's share."""

        def threads(wildcards: Any) -> int:
            wanted = self.torch_threads(wildcards) * getattr(self.settings, section).processes
            return min(wanted, self._workflow.resource_settings.cores or wanted)

        return threads

    def template(self, name: str) -> str:
        """Path of a prompt template of the configuration."""
        return str(here_or_in_checkout(getattr(self.settings.prompts, name), self.root))

    def raw(self, wildcards: Any) -> dict[str, str]:
        """Raw review and metadata file of a domain.

        Raises:
            WorkflowError: the domain reads real reviews and they are not there; says what to fetch, and whereto.
        """
        return self._readable(self._raw, str(wildcards.domain))

    def _raw(self, domain: str) -> dict[str, str]:
        directory, source = self.raw_directory(domain), self.settings.domains[domain].source
        if source == "synthetic":
            return {name: str(directory / f"{name}.jsonl.gz") for name in RAW_FILES}
        found = {name: find_raw(directory, name) for name in RAW_FILES}
        if not all(file.exists() for file in found.values()):
            command = "`snakemake --cores 1 download`, with the same --configfile, --config and --directory,"
            fetch = f"\n{command} fetches them, too." if source == "amazon-2018" else ""
            raise InputError(missing_files_message(domain, directory.parent, source) + fetch)
        declared = directory / "source.json"
        beside = {"declared": str(declared)} if declared.exists() else {}
        return {**{name: str(file) for name, file in found.items()}, **beside}

    def raw_directory(self, domain: str) -> Path:
        """Where the raw files of a domain lie."""
        synthetic = self.settings.domains[domain].source == "synthetic"
        return (Path("resources/synthetic") if synthetic else self.raw_root()) / domain

    def raw_root(self) -> Path:
        """The directory of real reviews."""
        return here_or_in_checkout(self.settings.raw_dir, self.root)

    def plain(self, section: str) -> dict[str, Any]:
        """One section as plain values for a rule's params, defaults spelt out: writing one down reruns nothing."""
        return getattr(self.settings, section).model_dump(mode="json")

    def part(self, section: str, *keys: str) -> dict[str, Any]:
        """Some keys of a section, for a rule that reads no more of it."""
        return {key: value for key, value in self.plain(section).items() if key in keys}

    def thought_space_tables(self, name: str) -> Callable[[Any], list[str]]:
        """An input function: table `name` of every domain that trains the wildcard's Thought Space, its own first."""

        def tables(wildcards: Any) -> list[str]:
            others = [domain for domain in self.settings.thought_space.domains if domain != wildcards.domain]
            return [f"results/{domain}/{name}" for domain in (wildcards.domain, *others)]

        return tables

    def scorer(self, wildcards: Any) -> str:
        """The wildcard's scorer without the mark of the leak audit."""
        return str(wildcards.scorer).removesuffix(ORACLE)

    def scorer_source(self, wildcards: Any) -> str:
        """Directory of the encoders that the wildcard's scorer compares with; "" for `likelihood`."""
        scorer = self.scorer(wildcards)
        if scorer == "thought_space":
            return f"results/{wildcards.domain}/thought_space"
        return str(Path(self.models.weights(scorer)).parent) if scorer in FROZEN else ""

    def scorer_models(self, wildcards: Any) -> list[str]:
        """The weights in that directory."""
        source = self.scorer_source(wildcards)
        parts = ("rationale_encoder/", "history_encoder/") if self.scorer(wildcards) == "thought_space" else ("",)
        return [f"{source}/{part}model.safetensors" for part in parts] if source else []

    def selection(self, wildcards: Any) -> dict[str, Any]:
        """Selection settings of the wildcard's scorer; `<scorer>_oracle` is shown the target, for the leak audit."""
        oracle = {"behaviour": "oracle"} if wildcards.scorer.endswith(ORACLE) else {}
        return {**self.plain("selection"), **oracle}

    def selected(self, wildcards: Any) -> str | list[str]:
        """The rationales that a ranker variant is trained with: those its scorer selected, or none."""
        if wildcards.variant == "no_reason":
            return []
        return f"results/{wildcards.domain}/selected/{wildcards.variant}.parquet"

    def truth(self, wildcards: Any) -> dict[str, str]:
        """The planted drivers of a synthetic domain, which only the evaluation may read."""
        if self.settings.domains[wildcards.domain].source != "synthetic":
            return {}
        directory = self.raw_directory(wildcards.domain)
        return {"truth": f"{directory}/truth.parquet", "drivers": f"{directory}/truth-drivers.json"}

    def leak_audit(self, wildcards: Any) -> dict[str, str]:
        """Selection and predictions of the oracle; none where PULSE's own selection is one."""
        if self.settings.selection.behaviour == "oracle":
            return {}
        results = f"results/{wildcards.domain}"
        return {
            "oracle": f"{results}/selected/thought_space{ORACLE}.parquet",
            "oracle_predictions": f"{results}/leak_audit/predictions.parquet",
        }

    def benchmarks(
        self, wildcards: Any, stages: Sequence[str], shards: Mapping[str, Sequence[str]]
    ) -> dict[str, list[str]]:
        """Stage -> its benchmark files: `stages`, those that only some configurations have, the models, and those that
        are scattered into `shards`."""
        made = ["synthetic_raw"] if self.truth(wildcards) else []
        audit = [f"select-thought_space{ORACLE}", "oracle_predictions"] if self.leak_audit(wildcards) else []
        logs = f"logs/{wildcards.domain}"
        files = {stage: [f"{logs}/{stage}.tsv"] for stage in [*made, *stages, *audit]}
        files |= {stage: [f"{logs}/{shard}.tsv" for shard in parts] for stage, parts in shards.items()}
        models = [Path(self.models.weights(role)).parent.name for role in ("slm", "encoder")]
        return {**files, **{f"model-{model}": [f"logs/models/{model}.tsv"] for model in models}}

    def protocol(self) -> dict[str, Any]:
        """What hr1.json says about how figures came about, beside what the artifacts tell."""
        settings = self.settings
        return {
            "split": settings.split.kind,
            "candidate_strategy": settings.candidates.kind,
            "behaviour": settings.selection.behaviour,
            "models": {role: self.models.roles[role].name for role in ("slm", "encoder")},
            "settings": {section: self.plain(section) for section in SETTINGS},
            "prompts": {name: file_hash(self.template(name)) for name in type(settings.prompts).model_fields},
        }
