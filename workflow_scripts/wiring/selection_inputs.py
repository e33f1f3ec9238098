"""Inputs and params per scorer, the wildcard that names what selects a rationale."""

from pathlib import Path
from typing import Any, get_args

from pulse_core.config import Config
from pulse_core.selection.settings import ScorerName
from pulse_core.systems import BY_NAME
from workflow_scripts.wiring.layout import HISTORY_ENCODER, RATIONALE_ENCODER, SELECTED, fill
from workflow_scripts.wiring.locations import or_exit
from workflow_scripts.wiring.prepared_models import PreparedModels

ORACLE = "_oracle"
FROZEN = ("distilbert", "sbert")  # scorers that use the frozen model of the same role
SCORERS = get_args(ScorerName)
NO_RATIONALES = str(BY_NAME["slm_sft"].variant)  # the one variant that is not named after a scorer
SCORER_PATTERN = "|".join([*SCORERS, f"thought_space{ORACLE}"])
VARIANT_PATTERN = "|".join([*SCORERS, NO_RATIONALES])


class Scorers:
    """The scorers of one configuration."""

    def __init__(self, settings: Config, models: PreparedModels) -> None:
        self._settings, self._models = settings, models

    def name(self, wildcards: Any) -> str:
        """The wildcard's scorer without the suffix of the leak audit."""
        return str(wildcards.scorer).removesuffix(ORACLE)

    def weights(self, wildcards: Any) -> list[str]:
        """Weights of the scorer's encoders; none for `likelihood`."""
        scorer = self.name(wildcards)
        if scorer == "thought_space":
            return [fill(file, domain=wildcards.domain) for file in (RATIONALE_ENCODER, HISTORY_ENCODER)]
        return [or_exit(self._models.weights, scorer)] if scorer in FROZEN else []

    def source(self, wildcards: Any) -> str:
        """Directory of the scorer's encoders; "" for `likelihood`."""
        weights = [Path(file).parent for file in self.weights(wildcards)]
        return str(weights[0] if len(weights) == 1 else weights[0].parent) if weights else ""

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Selection settings of the scorer; `<scorer>_oracle` sees the target, for the leak audit."""
        oracle = {"behaviour": "oracle"} if wildcards.scorer.endswith(ORACLE) else {}
        return {**self._settings.selection.model_dump(mode="json"), **oracle}

    def selected(self, wildcards: Any) -> str | list[str]:
        """The rationales that a ranker variant is trained with; none for SLM + SFT."""
        if wildcards.variant == NO_RATIONALES:
            return []
        return fill(SELECTED, domain=wildcards.domain, scorer=wildcards.variant)
