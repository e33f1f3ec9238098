"""What a rule needs to know of a scorer: the wildcard that names what selects a rationale."""

from pathlib import Path
from typing import Any

from pulse_core.config import Config
from workflow_scripts.wiring.locations import or_exit
from workflow_scripts.wiring.prepared_models import PreparedModels

ORACLE = "_oracle"
FROZEN = ("sbert", "distilbert")  # scorers whose encoder is the frozen model of the same role


class Scorers:
    """The scorers of one configuration."""

    def __init__(self, settings: Config, models: PreparedModels) -> None:
        self._settings, self._models = settings, models

    def name(self, wildcards: Any) -> str:
        """The wildcard's scorer without the mark of the leak audit."""
        return str(wildcards.scorer).removesuffix(ORACLE)

    def source(self, wildcards: Any) -> str:
        """Directory of the encoders that the wildcard's scorer compares with; "" for `likelihood`."""
        scorer = self.name(wildcards)
        if scorer == "thought_space":
            return f"results/{wildcards.domain}/thought_space"
        return str(Path(or_exit(self._models.weights, scorer)).parent) if scorer in FROZEN else ""

    def weights(self, wildcards: Any) -> list[str]:
        """The weights in that directory."""
        source = self.source(wildcards)
        parts = ("rationale_encoder/", "history_encoder/") if self.name(wildcards) == "thought_space" else ("",)
        return [f"{source}/{part}model.safetensors" for part in parts] if source else []

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Selection settings of the wildcard's scorer; `<scorer>_oracle` is shown the target, for the leak audit."""
        oracle = {"behaviour": "oracle"} if wildcards.scorer.endswith(ORACLE) else {}
        return {**self._settings.selection.model_dump(mode="json"), **oracle}

    def selected(self, wildcards: Any) -> str | list[str]:
        """The rationales that a ranker variant is trained with: those its scorer selected, or none."""
        if wildcards.variant == "no_reason":
            return []
        return f"results/{wildcards.domain}/selected/{wildcards.variant}.parquet"
