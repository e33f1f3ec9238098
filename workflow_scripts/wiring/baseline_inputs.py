"""What the rules of the baselines are given: inputs, outputs and params of each system of the registry."""

from typing import Any

from pulse_core.baselines.registry import SYSTEMS, System
from workflow_scripts.wiring.prepared_models import PreparedModels
from workflow_scripts.wiring.stage_params import StageParams

RESULTS = "results/{domain}"


class BaselineInputs:
    """The answers for the configuration of one call."""

    systems = SYSTEMS

    def __init__(self, params: StageParams, models: PreparedModels) -> None:
        self._params, self._models = params, models

    def inputs(self, system: System) -> dict[str, str]:
        """Name -> file, with the wildcard {domain}."""
        corpus = f"{RESULTS}/corpus"
        files = {
            "examples": f"{RESULTS}/examples.parquet",
            "candidates": f"{RESULTS}/candidates.parquet",
            "interactions": f"{corpus}/interactions.parquet",
            "catalogue": f"{corpus}/items.parquet",
        }
        for need in system.needs:
            kind, _, variant = need.partition(":")
            if kind == "slm":
                files["slm"] = self._models.weights("slm")
            elif kind == "reviews":
                files["reviews"] = f"{corpus}/reviews.parquet"
            elif kind == "encoder":
                files["encoder"] = self._models.weights("encoder")
            elif kind == "rationales":
                files["rationales"] = f"{RESULTS}/selected/thought_space.parquet"
            elif kind == "ranker":
                ranker = f"{RESULTS}/rankers/{variant}"
                files |= {"configured": f"{ranker}/predictions.parquet", "record": f"{ranker}/training.json"}
        return files

    def outputs(self, system: System) -> dict[str, str]:
        """Name -> file, with the wildcard {domain}."""
        keeps = bool(system.section) and not any(need.startswith("ranker:") for need in system.needs)
        names = ["predictions.parquet", "metrics.json", *(["model.safetensors"] if keeps else [])]
        return {name.partition(".")[0]: f"{RESULTS}/baselines/{system.name}/{name}" for name in names}

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
            "work": f"{RESULTS}/.work/baseline-{system.name}",
        }
        for read in system.reads:
            name, _, keys = read.partition(":")
            params[name] = self._params.part(name, *keys.split(",")) if keys else self._params.plain(name)
        if system.section:
            section = getattr(settings.baselines, system.section)
            # A trial that is not made reruns nothing.
            params["settings"] = section.only(settings.baselines.trials).model_dump(mode="json")
        return params
