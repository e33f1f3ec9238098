"""LLM zero-shot: the untuned language model ranks the candidates of the ranker's prompt by likelihood."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulse_core.ranking.model import Ranker
from pulse_core.ranking.settings import RankerSettings


def zero_shot_ranker(model: Path, ranker: Mapping[str, Any]) -> Ranker:
    """The ranker without adapters, so that nothing is left to train or to draw.

    Args:
        model: directory of the language model.
        ranker: the configured section `ranker`; a scalar head would be untrained, so likelihood takes its place.
    """
    return Ranker(model, RankerSettings.model_validate({**ranker, "head": "likelihood"}), seed=0, adapt=False)
