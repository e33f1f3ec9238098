"""Inputs and params of rule hr1: predictions, planted truth, leak audit, stage times, protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pulse_core.artifacts import sha256_of
from pulse_core.systems import HR1_SYSTEMS, System
from workflow_scripts.wiring import layout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.selection_inputs import ORACLE
from workflow_scripts.wiring.stage_params import StageParams

# The sections of the configuration that hr1.json records: its figures depend on them.
SETTINGS = (
    *("corpus", "split", "sasrec", "candidates", "neighbours", "rationales", "thought_space", "tree", "selection"),
    *("ranker", "evaluation"),
)
# The stages whose times hr1.json records, by name of their benchmark files in logs/<domain>/.
STAGES = (
    *("corpus", "examples", "sasrec", "candidates", "neighbours", "thought_space", "select-thought_space"),
    *("gather_positive", "gather_base", "gather_tree"),
    *(f"ranker-{system.variant}" if system.variant else f"baseline-{system.name}" for system in HR1_SYSTEMS),
)


class EvaluationInputs:
    """Inputs and params of rule hr1 for one configuration."""

    def __init__(self, params: StageParams, models: PreparedModels) -> None:
        self._params, self._models = params, models
        self.predictions = {system.name: _predictions(system) for system in HR1_SYSTEMS}

    def truth(self, wildcards: Any) -> dict[str, str]:
        """The planted drivers of a synthetic domain; only the evaluation may read them."""
        if self._params.settings.domains[wildcards.domain].source != "synthetic":
            return {}
        files = {"truth": layout.TRUTH, "drivers": layout.TRUTH_DRIVERS}
        return {name: layout.fill(file, domain=wildcards.domain) for name, file in files.items()}

    def leak_audit(self, wildcards: Any) -> dict[str, str]:
        """Selection and predictions of the oracle; none where selection sees the target anyway."""
        if self._params.settings.selection.behaviour == "oracle":
            return {}
        files = {"oracle": layout.SELECTED, "oracle_predictions": layout.ORACLE_PREDICTIONS}
        scorer = f"thought_space{ORACLE}"
        return {name: layout.fill(file, domain=wildcards.domain, scorer=scorer) for name, file in files.items()}

    def benchmarks(self, wildcards: Any, shards: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Stage -> its benchmark files; those of the writing stages are per shard (`shards`)."""
        generator = ["synthetic_raw"] if self.truth(wildcards) else []
        audit = [f"select-thought_space{ORACLE}", "oracle_predictions"] if self.leak_audit(wildcards) else []
        logs = f"logs/{wildcards.domain}"
        files = {stage: [f"{logs}/{stage}.tsv"] for stage in [*generator, *STAGES, *audit]}
        files |= {stage: [f"{logs}/{shard}.tsv" for shard in parts] for stage, parts in shards.items()}
        models = [Path(self._models.weights(role)).parent.name for role in ("slm", "encoder")]
        return {**files, **{f"model-{model}": [f"logs/models/{model}.tsv"] for model in models}}

    def protocol(self) -> dict[str, str]:
        """How the systems are measured."""
        settings = self._params.settings
        return {
            "split": settings.split.kind,
            "candidate_strategy": settings.candidates.kind,
            "behaviour": settings.selection.behaviour,
        }

    def recorded(self) -> dict[str, Any]:
        """What hr1.json records of the configuration besides."""
        settings = self._params.settings
        return {
            "models": {role: self._models.roles[role].name for role in ("slm", "encoder")},
            "settings": {section: self._params.plain(section) for section in SETTINGS}
            | {"baselines": self._params.part("baselines", "trials", "sasrec")},
            "prompts": {
                name: sha256_of(Path(self._params.template(name))) for name in type(settings.prompts).model_fields
            },
        }


def _predictions(system: System) -> str:
    """Those of the configured ranker for PULSE and SLM + SFT, of the best trial for other systems."""
    if system.variant:
        return layout.fill(layout.RANKER_PREDICTIONS, variant=system.variant)
    return layout.fill(layout.BASELINE_PREDICTIONS, system=system.name)
