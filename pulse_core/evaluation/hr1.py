"""Assembly of `results/<domain>/hr1.json`: every system on the same users and candidates, with all it depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import chance_result, compare_systems, system_result
from pulse_core.evaluation.predictions import aligned_ranks, require_columns
from pulse_core.evaluation.schema import (
    Comparison,
    Hr1,
    LeakAudit,
    Protocol,
    StageTime,
    SystemResult,
    WhyRecall,
)
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import holm

REQUIRED_SYSTEMS = ("pulse", "sasrec", "no_reason", "untrained_slm", "brand_repeat", "popularity")
SYNTHETIC_NOTICE = (
    "SYNTHETIC CORPUS: reviews written by the generator, with planted reasons. "
    "These figures say nothing about Amazon's customers."
)
ORACLE_NOTICE = "ORACLE: selection saw the target (behaviour: oracle). These figures may not stand beside others."

FAKE_NOTICE = "FAKE RATIONALES: no model wrote them (engine: fake). These figures test the workflow and nothing else."


@dataclass(frozen=True)
class Context:
    """What the figures depend on besides the predictions."""

    domain: str
    statistics: Mapping[str, Any]
    """corpus/statistics.json, with `source` and `source_hash`."""
    split: str
    candidate_strategy: str
    behaviour: str
    engine: str
    """The engine that wrote the rationales."""
    models: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, StageTime] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """system -> where its predictions were read, for messages."""


def assemble(
    predictions: Mapping[str, pd.DataFrame],
    examples: pd.DataFrame,
    candidates: pd.DataFrame,
    context: Context,
    settings: EvaluationSettings,
    seed: int,
    *,
    why_recall: WhyRecall | None = None,
    leak_audit: LeakAudit | None = None,
    neighbour_leak: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The contents of hr1.json.

    Args:
        predictions: system -> predictions (the one schema), at least REQUIRED_SYSTEMS; chance is worked out here.
        examples: (user, split, target, sampled, ...). Test and validation figures are over the sampled users.
        candidates: (user, split, candidates, ...): the sets that every system has to rank.
        seed: the run's seed; the bootstrap's draws follow from it.

    Raises:
        InputError: a system is missing, or its users or candidates are not those of the others (naming its file).
    """
    missing = [system for system in REQUIRED_SYSTEMS if system not in predictions]
    if missing:
        raise InputError(f"hr1 needs the predictions of {missing}; it was given {sorted(predictions)}")
    if context.behaviour not in ("history", "oracle"):
        raise InputError(f"behaviour should be history or oracle, got {context.behaviour!r}")
    require_columns(examples, ("user", "split", "target", "sampled"), "examples")
    statistics = dict(context.statistics)
    for key in ("source", "source_hash"):
        if key not in statistics:
            raise InputError(f"corpus/statistics.json: key {key!r} is missing; make the corpus again")

    oracle = {"pulse"} if context.behaviour == "oracle" else set()
    sampled = examples[examples["sampled"].astype(bool)]
    count = candidate_count(candidates)
    names = [*REQUIRED_SYSTEMS, *sorted(set(predictions) - set(REQUIRED_SYSTEMS))]
    results: dict[str, dict[str, SystemResult]] = {}
    ranks: dict[str, pd.Series] = {}
    for split in ("validation", "test"):
        if not (sampled["split"] == split).any():
            raise InputError(f"examples: no sampled user has a {split} example; sample more users or relax the filter")
        ranks = {
            name: aligned_ranks(predictions[name], sampled, candidates, split, context.files.get(name, name))
            for name in names
        }
        results[split] = {name: system_result(ranks[name].to_numpy(), settings, seed, name in oracle) for name in names}
        results[split]["chance"] = chance_result(len(ranks["pulse"]), count)

    comparisons = _comparisons(ranks, count, settings, seed, oracle)  # ranks are those of the test split, the last
    every_user = aligned_ranks(
        predictions["sasrec"], examples, candidates, "test", context.files.get("sasrec", "sasrec")
    )
    synthetic = "synthetic" in (statistics.get("corpus"), statistics["source"])
    said = {SYNTHETIC_NOTICE: synthetic, ORACLE_NOTICE: "pulse" in oracle, FAKE_NOTICE: context.engine == "fake"}
    result = Hr1(
        domain=context.domain,
        corpus="synthetic" if synthetic else str(statistics["source"]),
        notice=" ".join(notice for notice, holds in said.items() if holds) or None,
        corpus_hash=str(statistics["source_hash"]),
        corpus_statistics=statistics,
        hr1=results["test"]["pulse"].hr1,
        systems=results["test"],
        comparisons=comparisons,
        validation=results["validation"],
        sasrec_all_users=system_result(every_user.to_numpy(), settings, seed),
        protocol=Protocol(
            split=context.split,
            candidate_strategy=context.candidate_strategy,
            candidate_count=count,
            behaviour=context.behaviour,
            oracle="pulse" in oracle,
            engine=context.engine,
            interval=f"percentile bootstrap over users, {settings.bootstrap_samples} resamples",
            confidence=settings.confidence,
            bootstrap_samples=settings.bootstrap_samples,
        ),
        models=dict(context.models),
        settings={section: dict(values) for section, values in context.settings.items()},
        prompts=dict(context.prompts),
        seeds=dict(context.seeds),
        versions=dict(context.versions),
        stages=dict(context.stages),
        total_seconds=sum(stage.seconds or 0.0 for stage in context.stages.values()),
        why_recall=why_recall,
        leak_audit=leak_audit,
        neighbour_leak=dict(neighbour_leak) if neighbour_leak is not None else None,
    )
    return result.model_dump(mode="json")


def candidate_count(candidates: pd.DataFrame) -> int:
    """The one size of the candidate sets; InputError where they differ."""
    counts = sorted(set(candidates["candidates"].map(len)))
    if len(counts) != 1:
        raise InputError(f"candidates: sets should have one size, they have {counts}; make the candidates again")
    return int(counts[0])


def _comparisons(
    ranks: Mapping[str, pd.Series], count: int, settings: EvaluationSettings, seed: int, oracle: set[str]
) -> dict[str, Comparison]:
    """PULSE against every other system and chance, with Holm's adjustment over all of them."""
    pulse = ranks["pulse"].to_numpy()
    found = {
        name: compare_systems(name, pulse, None if each is None else each.to_numpy(), count, settings, seed, oracle)
        for name, each in {**ranks, "chance": None}.items()
        if name != "pulse"
    }
    adjusted = holm({name: each.hr1.p_value for name, each in found.items()})
    return {
        name: each.model_copy(update={"hr1": each.hr1.model_copy(update={"p_holm": adjusted[name]})})
        for name, each in found.items()
    }
