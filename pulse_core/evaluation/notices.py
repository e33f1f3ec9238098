"""The corpus name and the warnings shown beside every figure."""

from collections.abc import Mapping
from typing import Any

from pulse_core.errors import InputError

SYNTHETIC = (
    "SYNTHETIC CORPUS: reviews written by the generator, with planted reasons. "
    "These figures say nothing about Amazon's customers."
)
ORACLE = "ORACLE: selection saw the target (behaviour: oracle). These figures may not stand beside others."
FAKE = "FAKE RATIONALES: no model wrote them (engine: fake). These figures test the workflow and nothing else."


def corpus_name(statistics: Mapping[str, Any]) -> str:
    """`synthetic`, or the source of the raw files, from corpus/statistics.json.

    Raises:
        InputError: the statistics do not name the source.
    """
    for key in ("source", "source_hash"):
        if key not in statistics:
            raise InputError(f"corpus/statistics.json: key {key!r} is missing; make the corpus again")
    synthetic = "synthetic" in (statistics.get("corpus"), statistics["source"])
    return "synthetic" if synthetic else str(statistics["source"])


def notices(corpus: str, behaviour: str, engine: str) -> str:
    """The warnings that apply, in one line; empty if none does."""
    conditions = {SYNTHETIC: corpus == "synthetic", ORACLE: behaviour == "oracle", FAKE: engine == "fake"}
    return " ".join(notice for notice, applies in conditions.items() if applies)
