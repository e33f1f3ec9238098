"""What the rules ask while the workflow is put together: validated settings, code hashes, threads, where inputs lie.

Nothing here imports torch: every Snakemake call, dry runs too, pays for these imports.
"""

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from pulse_core.accelerators import PRETENDED, allowed_devices
from pulse_core.config import SHARED_RESULTS, Config, load_config
from workflow_scripts.job import driver
from workflow_scripts.wiring.baseline_inputs import BaselineInputs
from workflow_scripts.wiring.evaluation_inputs import EvaluationInputs
from workflow_scripts.wiring.locations import RawFiles, readable
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.selection_inputs import Scorers
from workflow_scripts.wiring.stage_params import StageParams

DEFAULT_THREADS = 8  # of a torch job where all cores are not its own to take; --set-threads changes it


def gpu_threads(cores: int | None, devices: int) -> int:
    """Threads of a rule that asks for a GPU: the share of each of `devices` that jobs can hold at once. Without any,
    all cores: one torch job at a time, since two at once on the same cores take two to six times longer."""
    return max(1, cores // max(1, devices)) if cores else DEFAULT_THREADS


def cpu_threads(cores: int | None, devices: int) -> int:
    """Threads of a torch rule that asks for no GPU: all cores, but beside devices no more than the job would get on a
    cluster, which knows no number of cores. So jobs of a machine with many cores keep its GPUs busy meanwhile."""
    if not cores:
        return DEFAULT_THREADS
    return min(cores, DEFAULT_THREADS) if devices else cores


def typed_values(arguments: Iterable[str]) -> dict[str, Any]:
    """What `--config key=value section={key: value}` says, typed as in a file: Snakemake leaves most of it text."""
    values: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        with contextlib.suppress(yaml.YAMLError):
            update_config(values, {name: yaml.safe_load(text)})
    return values


class Wiring:
    """The answers for one Snakemake call."""

    def __init__(self, config: dict[str, Any], workflow: Any) -> None:
        self.root = Path(workflow.basedir)
        self._workflow = workflow
        if not workflow.is_main_process:
            readable(driver.refuse_orphan)
        # Jobs import the pulse_core and workflow_scripts of this checkout, installed or not.
        others = [
            path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(self.root))
        ]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(self.root), *others])
        values = copy.deepcopy(config)
        update_config(values, typed_values(workflow.config_settings.config_args or ()))
        self.settings: Config = readable(load_config, values)
        if self.settings.testing:
            os.environ[PRETENDED] = "true"
        self.models = PreparedModels(dict(self.settings.models))
        self.raw = RawFiles(self.settings, self.root)
        self.scorers = Scorers(self.settings, self.models)
        params = StageParams(self.settings, self.root)
        self.code, self.plain, self.part, self.template = params.code, params.plain, params.part, params.template
        self.evaluation = EvaluationInputs(params, self.models, self.raw)
        self.baselines = BaselineInputs(params, self.models)
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
        self._lock = readable(driver.take_working_directory)

    def gpu_threads(self, _wildcards: Any) -> int:
        """Threads of a rule that runs torch and asks for a GPU."""
        return gpu_threads(self._workflow.resource_settings.cores, self._devices())

    def cpu_threads(self, _wildcards: Any) -> int:
        """Threads of a rule that runs torch and asks for none."""
        return cpu_threads(self._workflow.resource_settings.cores, self._devices())

    def training_threads(self, section: str) -> Callable[[Any], int]:
        """Threads of a rule that trains with the `processes` of a section: each has a GPU rule's share."""

        def threads(wildcards: Any) -> int:
            wanted = self.gpu_threads(wildcards) * getattr(self.settings, section).processes
            return min(wanted, self._workflow.resource_settings.cores or wanted)

        return threads

    def _devices(self) -> int:
        """Devices that jobs of this call can hold at once: those there are, but no more than `--resources gpu=`."""
        there = len(allowed_devices())
        asked = self._workflow.global_resources
        return min(there, asked["gpu"].value) if "gpu" in asked else there

    def thought_space_tables(self, name: str) -> Callable[[Any], list[str]]:
        """An input function: table `name` of every domain that trains the wildcard's Thought Space, its own first."""

        def tables(wildcards: Any) -> list[str]:
            others = [domain for domain in self.settings.thought_space.domains if domain != wildcards.domain]
            return [f"results/{domain}/{name}" for domain in (wildcards.domain, *others)]

        return tables
