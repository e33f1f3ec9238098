"""What the rules of the baselines are given: inputs, outputs and params of each system of the registry."""

from typing import Any

from pulse_core.baselines.registry import SYSTEMS, System
from workflow_scripts.wiring import layout
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.stage_params import StageParams


class BaselineInputs:
    """The answers for the configuration of one call."""

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
        for need in system.needs:
            kind, _, variant = need.partition(":")
            if kind == "slm":
                files["slm"] = self._models.weights("slm")
            elif kind == "reviews":
                files["reviews"] = layout.REVIEWS
            elif kind == "encoder":
                files["encoder"] = self._models.weights("encoder")
            elif kind == "rationales":
                files["rationales"] = layout.fill(layout.SELECTED, scorer="thought_space")
            elif kind == "ranker":
                files["configured"] = layout.fill(layout.RANKER_PREDICTIONS, variant=variant)
                files["record"] = layout.fill(layout.RANKER_TRAINING, variant=variant)
        return files

    def outputs(self, system: System) -> dict[str, str]:
        """Name -> file, with the wildcard {domain}."""
        keeps = bool(system.section) and not any(need.startswith("ranker:") for need in system.needs)
        files = {"predictions": layout.BASELINE_PREDICTIONS, "metrics": layout.BASELINE_METRICS}
        files |= {"model": layout.BASELINE_MODEL} if keeps else {}
        return {name: layout.fill(file, system=system.name) for name, file in files.items()}

    def resources(self, system: System) -> dict[str, int]:
        """An accelerator for whoever runs a pre-trained model."""
        return {"gpu": 1, "mem_mb": 16000} if system.gpu else {"mem_mb": 8000}

    def params(self, system: System) -> dict[str, Any]:
        """What the script reads: the code's version, the seed, and settings with as many trials as there will be."""
        settings = self._params.settings
        params: dict[str, Any] = {
            "system": system.name,
            "code": self._params.code(f"baselines/{system.name}"),
            "seed": settings.seed,
            "section": system.section,
            "work": layout.fill(layout.WORK, stage=f"baseline-{system.name}"),
        }
        for read in system.reads:
            name, _, keys = read.partition(":")
            params[name] = self._params.part(name, *keys.split(",")) if keys else self._params.plain(name)
        if system.section:
            section = getattr(settings.baselines, system.section)
            # A trial that is not made reruns nothing.
            params["settings"] = section.only(settings.baselines.trials).model_dump(mode="json")
        return params
