"""What rule hr1 reads and repeats: the planted truth, the leak audit, seconds of stages, the protocol."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.wiring import layout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.selection_inputs import ORACLE
from workflow_scripts.wiring.stage_params import StageParams

# What hr1.json repeats of the configuration: all that its figures follow from.
SETTINGS = (
    *("corpus", "split", "sasrec", "candidates", "neighbours", "rationales", "thought_space", "tree", "selection"),
    *("ranker", "evaluation"),
)


def file_hash(path: str) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class EvaluationInputs:
    """The answers for the configuration of one call."""

    def __init__(self, params: StageParams, models: PreparedModels) -> None:
        self._params, self._models = params, models

    def truth(self, wildcards: Any) -> dict[str, str]:
        """The planted drivers of a synthetic domain, which only the evaluation may read."""
        if self._params.settings.domains[wildcards.domain].source != "synthetic":
            return {}
        files = {"truth": layout.TRUTH, "drivers": layout.TRUTH_DRIVERS}
        return {name: layout.fill(file, domain=wildcards.domain) for name, file in files.items()}

    def leak_audit(self, wildcards: Any) -> dict[str, str]:
        """Selection and predictions of the oracle; none where PULSE's own selection is one."""
        if self._params.settings.selection.behaviour == "oracle":
            return {}
        files = {"oracle": layout.SELECTED, "oracle_predictions": layout.ORACLE_PREDICTIONS}
        scorer = f"thought_space{ORACLE}"
        return {name: layout.fill(file, domain=wildcards.domain, scorer=scorer) for name, file in files.items()}

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
        models = [Path(self._models.weights(role)).parent.name for role in ("slm", "encoder")]
        return {**files, **{f"model-{model}": [f"logs/models/{model}.tsv"] for model in models}}

    def protocol(self) -> dict[str, Any]:
        """What hr1.json says about how figures came about, beside what the artifacts tell."""
        settings = self._params.settings
        return {
            "split": settings.split.kind,
            "candidate_strategy": settings.candidates.kind,
            "behaviour": settings.selection.behaviour,
            "models": {role: self._models.roles[role].name for role in ("slm", "encoder")},
            "settings": {section: self._params.plain(section) for section in SETTINGS}
            | {"baselines": self._params.part("baselines", "trials", "sasrec")},
            "prompts": {name: file_hash(self._params.template(name)) for name in type(settings.prompts).model_fields},
        }
