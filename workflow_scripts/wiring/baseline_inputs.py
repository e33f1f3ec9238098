"""Inputs, outputs and params of the rules of all systems of the overall table."""

from typing import Any

from pulse_core.systems import SYSTEMS, System
from workflow_scripts.wiring import layout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.stage_params import StageParams


class BaselineInputs:
    """The rules of all systems for one configuration."""

    systems = SYSTEMS

    def __init__(self, params: StageParams, models: PreparedModels) -> None:
        self._params, self._models = params, models

    def inputs(self, system: System) -> dict[str, str]:
        """Name -> file, with the wildcard {domain}."""
        files = {
            "examples": layout.EXAMPLES,
            "candidates": layout.CANDIDATES,
            "interactions": layout.INTERACTIONS,
            "catalogue": layout.CATALOGUE,
        }
        if system.slm:
            files["slm"] = self._models.weights("slm")
        if system.encoder:
            files["encoder"] = self._models.weights("encoder")
        if system.reviews:
            files["reviews"] = layout.REVIEWS
        if system.rationales:
            files["rationales"] = layout.fill(layout.SELECTED, scorer="thought_space")
        if system.variant:
            files["configured"] = layout.fill(layout.RANKER_PREDICTIONS, variant=system.variant)
            files["record"] = layout.fill(layout.RANKER_TRAINING, variant=system.variant)
        return files

    def outputs(self, system: System) -> dict[str, str]:
        """Name -> file, with the wildcard {domain}."""
        files = {"predictions": layout.BASELINE_PREDICTIONS, "metrics": layout.BASELINE_METRICS}
        if system.section and not system.variant:  # a tuned ranker keeps no weights
            files["model"] = layout.BASELINE_MODEL
        return {name: layout.fill(file, system=system.name) for name, file in files.items()}

    def resources(self, system: System) -> dict[str, int]:
        """An accelerator for a system that runs a pre-trained model."""
        return {"gpu": 1, "mem_mb": 16000} if system.gpu else {"mem_mb": 8000}

    def params(self, system: System) -> dict[str, Any]:
        """Code version, seed and settings."""
        settings = self._params.settings
        params: dict[str, Any] = {
            "system": system.name,
            "code": self._params.code(f"baselines/{system.name}"),
            "seed": settings.seed,
            "section": system.section,
            "work": layout.fill(layout.WORK, stage=f"baseline-{system.name}"),
        }
        for section, keys in system.reads.items():
            params[section] = self._params.part(section, *keys) if keys else self._params.plain(section)
        if system.section:
            tuned = getattr(settings.baselines, system.section)
            # Only the trials that are made: editing another one reruns nothing.
            params["settings"] = tuned.model_dump(mode="json") | {"search": tuned.search[: settings.baselines.trials]}
        return params
