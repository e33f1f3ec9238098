"""Assembly of `results/<domain>/hr1.json`: every system on the same users and candidates, and its provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import all_results, compare_all, system_result
from pulse_core.evaluation.notices import corpus_name, notices
from pulse_core.evaluation.predictions import aligned_ranks, candidate_count, require_columns
from pulse_core.evaluation.schema import Hr1, LeakAudit, Protocol, StageTime, WhyRecall
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.systems import HR1_SYSTEMS, PULSE


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
    """system -> file of its predictions, for messages."""


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
        predictions: system -> predictions in the common schema, at least HR1_SYSTEMS; chance is computed here.
        examples: (user, split, target, sampled, ...). Metrics are over the sampled users of a split.
        candidates: (user, split, candidates, ...): the sets that every system ranks.
        seed: the run's seed, from which the bootstrap's draws follow.

    Raises:
        InputError: a system is missing, or its users or candidates are not those of the others (names its file).
    """
    required = [system.name for system in HR1_SYSTEMS]
    missing = [name for name in required if name not in predictions]
    if missing:
        raise InputError(f"hr1 needs the predictions of {missing}; it got {sorted(predictions)}")
    if context.behaviour not in ("history", "oracle"):
        raise InputError(f"behaviour should be history or oracle, got {context.behaviour!r}")
    require_columns(examples, ("user", "split", "target", "sampled"), "examples")
    corpus = corpus_name(context.statistics)
    names = [*required, *sorted(set(predictions) - set(required))]
    count = candidate_count(candidates)

    def ranks(system: str, split: str, chosen: pd.DataFrame) -> Any:
        file = context.files.get(system, system)
        return aligned_ranks(predictions[system], chosen, candidates, split, file).to_numpy()

    sampled = examples[examples["sampled"].astype(bool)]
    split_ranks = {}
    for split in ("validation", "test"):
        if not (sampled["split"] == split).any():
            raise InputError(f"examples: no sampled user has a {split} example; sample more users or relax the filter")
        split_ranks[split] = {name: ranks(name, split, sampled) for name in names}
    oracle = {PULSE.name} if context.behaviour == "oracle" else set()
    results = {split: all_results(values, count, settings, seed, oracle) for split, values in split_ranks.items()}
    result = Hr1(
        domain=context.domain,
        corpus=corpus,
        notice=notices(corpus, context.behaviour, context.engine) or None,
        corpus_hash=str(context.statistics["source_hash"]),
        corpus_statistics=dict(context.statistics),
        hr1=results["test"][PULSE.name].hr1,
        systems=results["test"],
        comparisons=compare_all(split_ranks["test"], count, settings, seed, oracle),
        validation=results["validation"],
        sasrec_all_users=system_result(ranks("sasrec", "test", examples), settings, seed),
        protocol=Protocol(
            split=context.split,
            candidate_strategy=context.candidate_strategy,
            candidate_count=count,
            behaviour=context.behaviour,
            oracle=bool(oracle),
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
