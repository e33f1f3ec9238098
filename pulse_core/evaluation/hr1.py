"""Assembly of `results/<domain>/hr1.json`: every system on the same users and candidates, and its provenance."""

from collections.abc import Mapping
from typing import Any

from pulse_core.evaluation.compare import all_results, compare_all, system_result
from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.schema import Hr1, Protocol
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.systems import HR1_SYSTEMS, PULSE


def assemble(
    results: DomainResults,
    split: str,
    candidate_strategy: str,
    recorded: Mapping[str, Any],
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, Any]:
    """The contents of hr1.json; chance is computed here.

    Args:
        results: at least HR1_SYSTEMS. Metrics are over the sampled users of a split.
        recorded: fields of `Hr1` that are taken as they are, from `models` to `stages` and from `why_recall` on.

    Raises:
        InputError: a system is missing, or its users or candidates are not those of the others (names its file).
    """
    required = [system.name for system in HR1_SYSTEMS]
    names = [*required, *sorted(set(results.predictions) - set(required))]
    count, oracle = results.candidate_count, results.oracle
    ranks = {part: results.ranks(names, part) for part in ("validation", "test")}
    figures = {part: all_results(values, count, settings, seed, oracle) for part, values in ranks.items()}
    everyone = results.ranks(["sasrec"], sampled=False)["sasrec"]
    hr1 = Hr1(
        domain=results.domain,
        corpus=results.corpus,
        notice=results.notice or None,
        corpus_hash=str(results.statistics["source_hash"]),
        corpus_statistics=dict(results.statistics),
        hr1=figures["test"][PULSE.name].hr1,
        systems=figures["test"],
        comparisons=compare_all(ranks["test"], count, settings, seed, oracle),
        validation=figures["validation"],
        sasrec_all_users=system_result(everyone, settings, seed),
        protocol=Protocol(
            split=split,
            candidate_strategy=candidate_strategy,
            candidate_count=count,
            behaviour=results.behaviour,
            oracle=bool(oracle),
            engine=results.engine,
            interval=f"percentile bootstrap over users, {settings.bootstrap_samples} resamples",
            confidence=settings.confidence,
            bootstrap_samples=settings.bootstrap_samples,
        ),
        total_seconds=sum(stage.seconds or 0.0 for stage in recorded["stages"].values()),
        **recorded,
    )
    return hr1.model_dump(mode="json")
