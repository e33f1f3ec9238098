"""LLM zero-shot: the untuned language model ranks candidates by their likelihood after the ranker's prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulse_core.ranking.model import Ranker
from pulse_core.ranking.settings import RankerSettings


def zero_shot_ranker(model: Path, ranker: Mapping[str, Any]) -> Ranker:
    """The ranker without adapters: nothing is trained or random.

    Args:
        model: directory of the language model.
        ranker: the configured section `ranker`, whose head is replaced by likelihood, as a scalar head needs training.
    """
    return Ranker(model, RankerSettings.model_validate({**ranker, "head": "likelihood"}), seed=0, adapt=False)
