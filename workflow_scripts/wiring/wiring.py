"""What the rules need while Snakemake reads them: validated settings, code versions, threads, paths of inputs.

Nothing here imports torch: every Snakemake call, even a dry run, pays for these imports.
"""

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from pulse_core.accelerators import PRETENDED, allowed_devices
from pulse_core.config import Config, load_config
from workflow_scripts.job import driver
from workflow_scripts.job.leftovers import remove_leftovers
from workflow_scripts.wiring import layout
from workflow_scripts.wiring.baseline_inputs import BaselineInputs
from workflow_scripts.wiring.evaluation_inputs import EvaluationInputs
from workflow_scripts.wiring.locations import RawFiles, or_exit
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.selection_inputs import Scorers
from workflow_scripts.wiring.stage_params import StageParams
from workflow_scripts.wiring.targets import check_targets, targets_of

DEFAULT_THREADS = 8  # of a torch job that may not take all cores; --set-threads changes it


def gpu_threads(cores: int | None, devices: int) -> int:
    """Threads of a rule with a GPU: an equal share of the cores per device. Without devices all cores, so that
    torch jobs run one at a time: two on the same cores take two to six times longer."""
    return max(1, cores // max(1, devices)) if cores else DEFAULT_THREADS


def cpu_threads(cores: int | None, devices: int) -> int:
    """Threads of a torch rule without a GPU: all cores, but beside devices no more than on a cluster, so that enough
    cores are left to keep the GPUs busy."""
    if not cores:
        return DEFAULT_THREADS
    return min(cores, DEFAULT_THREADS) if devices else cores


def typed_values(arguments: Iterable[str]) -> dict[str, Any]:
    """Values of `--config key=value section={key: value}`, typed as in a file; Snakemake leaves most of them text."""
    values: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        with contextlib.suppress(yaml.YAMLError):
            update_config(values, {name: yaml.safe_load(text)})
    return values


class Wiring:
    """Everything the rules need, for one Snakemake call."""

    def __init__(self, config: dict[str, Any], workflow: Any) -> None:
        self.root = Path(workflow.basedir)
        self._config, self._workflow = config, workflow
        if not workflow.is_main_process:
            or_exit(driver.refuse_orphan)
        # Jobs import the pulse_core and workflow_scripts of this checkout, installed or not.
        others = [
            path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(self.root))
        ]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(self.root), *others])
        values = copy.deepcopy(config)
        update_config(values, typed_values(workflow.config_settings.config_args or ()))
        self.settings: Config = or_exit(load_config, values)
        if self.settings.testing:
            os.environ[PRETENDED] = "true"
        self.models = PreparedModels(dict(self.settings.models))
        self.raw = RawFiles(self.settings, self.root)
        self.scorers = Scorers(self.settings, self.models)
        params = StageParams(self.settings, self.root)
        self.code, self.plain, self.part, self.template = params.code, params.plain, params.part, params.template
        self.evaluation = EvaluationInputs(params, self.models)
        self.baselines = BaselineInputs(params, self.models)

    def check_targets(self) -> None:
        """Exit on a target that no rule makes. Called at the end of the Snakefile, when all rules are known."""
        if self._workflow.is_main_process:
            domains = {**dict.fromkeys(self._config.get("domains") or {}), **self.settings.domains}
            or_exit(check_targets, targets_of(sys.argv[1:]), self._workflow.rules, domains)

    def lock_working_directory(self) -> None:
        """Make this process the only driver in the working directory until it ends, however it ends, and remove what
        killed calls left.

        Raises:
            SystemExit: another call is running here.
        """
        self._lock = or_exit(driver.take_working_directory)
        remove_leftovers()

    def gpu_threads(self, _wildcards: Any) -> int:
        """Threads of a rule that runs torch on a GPU."""
        return gpu_threads(self._workflow.resource_settings.cores, self._devices())

    def cpu_threads(self, _wildcards: Any) -> int:
        """Threads of a rule that runs torch without a GPU."""
        return cpu_threads(self._workflow.resource_settings.cores, self._devices())

    def training_threads(self, section: str) -> Callable[[Any], int]:
        """Threads of a rule that trains in a section's `processes`: a GPU rule's threads per process."""

        def threads_of(wildcards: Any) -> int:
            threads = self.gpu_threads(wildcards) * getattr(self.settings, section).processes
            return min(threads, self._workflow.resource_settings.cores or threads)

        return threads_of

    def _devices(self) -> int:
        """Devices that jobs of this call can use at once: the machine's, at most `--resources gpu=`."""
        available = len(allowed_devices())
        limits = self._workflow.global_resources
        return min(available, limits["gpu"].value) if "gpu" in limits else available

    def thought_space_tables(self, pattern: str) -> Callable[[Any], list[str]]:
        """Input function: the table of every domain that trains the wildcard's Thought Space, starting with itself."""

        def tables(wildcards: Any) -> list[str]:
            others = [domain for domain in self.settings.thought_space.domains if domain != wildcards.domain]
            return [layout.fill(pattern, domain=domain) for domain in (wildcards.domain, *others)]

        return tables
