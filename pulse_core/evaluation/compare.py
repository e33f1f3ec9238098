"""From ranks to results: a system's figures with intervals, and PULSE's paired tests against another system."""

from collections.abc import Collection
from typing import Literal

import numpy as np

from pulse_core.evaluation.intervals import bootstrap_means, percentile_interval
from pulse_core.evaluation.metrics import METRICS, chance_values, metric_values
from pulse_core.evaluation.schema import (
    Comparison,
    Estimate,
    HitComparison,
    MeanComparison,
    SystemResult,
    Verdict,
)
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import binomial_against, mcnemar_exact, paired_bootstrap
from pulse_core.rank_metrics import hit_at_1
from pulse_core.seeding import derive_seed

LABELS = {
    "pulse": "PULSE",
    "sasrec": "SASRec",
    "no_reason": "ranker without reasons",
    "untrained_slm": "untrained SLM",
    "brand_repeat": "brand repeat",
    "popularity": "popularity",
    "chance": "chance",
}


def label(system: str) -> str:
    """The name of a system in tables and sentences."""
    return LABELS.get(system, system.replace("_", " "))


def estimates(values: np.ndarray, settings: EvaluationSettings, seed: int) -> list[Estimate]:
    """Mean and interval of each column of values in [0, 1], shape (users, columns)."""
    means = bootstrap_means(values, settings.bootstrap_samples, seed)
    low, high = (np.clip(end, 0.0, 1.0) for end in percentile_interval(means, settings.confidence))
    # sorted, so that the sum's last bits do not depend on the order of the users
    centre = np.clip(np.sort(values, axis=0).mean(axis=0), 0.0, 1.0)
    return [
        Estimate(value=float(value), low=float(least), high=float(most))
        for value, least, most in zip(centre, low, high, strict=True)
    ]


def system_result(ranks: np.ndarray, settings: EvaluationSettings, seed: int, oracle: bool = False) -> SystemResult:
    """Metrics with intervals from the ranks of one system's users, shape (users,).

    The draws depend on the run's seed and the ranks alone, so that adding a system changes nobody else's interval.
    """
    figures = estimates(metric_values(ranks), settings, derive_seed(seed, "interval"))
    return SystemResult(users=len(ranks), oracle=oracle, **dict(zip(METRICS, figures, strict=True)))


def chance_result(users: int, candidate_count: int) -> SystemResult:
    """The exact expectation of scores drawn at random."""
    figures = [Estimate(value=value, low=value, high=value) for value in chance_values(candidate_count).tolist()]
    return SystemResult(users=users, **dict(zip(METRICS, figures, strict=True)))


def verdict_of(difference: float, p_value: float, confidence: float) -> Verdict:
    """In words whether a difference is told apart from none at this confidence."""
    if p_value >= 1.0 - confidence or difference == 0.0:
        return "not distinguishable"
    return "better" if difference > 0 else "worse"


def compare_means(first: np.ndarray, second: np.ndarray, settings: EvaluationSettings, seed: int) -> MeanComparison:
    """Paired bootstrap of first - second, values of the same users in the same order, shape (users,)."""
    found = paired_bootstrap(first, second, settings.bootstrap_samples, settings.confidence, seed)
    return MeanComparison(
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        verdict=verdict_of(found.difference, found.p_value, settings.confidence),
    )


def compare_hits(
    first: np.ndarray, second: np.ndarray, chance: bool, settings: EvaluationSettings, seed: int
) -> HitComparison:
    """Hits of two systems on the same users: interval from the paired bootstrap, p-value from an exact test.

    Args:
        first: hits, 0 or 1, shape (users,).
        second: hits, or the constant chance level in every row when `chance` is true.
    """
    gap = paired_bootstrap(first, second, settings.bootstrap_samples, settings.confidence, seed)
    test: Literal["McNemar exact", "exact binomial"]
    first_only = second_only = None
    if chance:
        test, p_value = "exact binomial", binomial_against(first, float(second[0]))
    else:
        discordance = mcnemar_exact(first, second)
        test, p_value = "McNemar exact", discordance.p_value
        first_only, second_only = discordance.first_only, discordance.second_only
    return HitComparison(
        difference=gap.difference,
        low=gap.low,
        high=gap.high,
        pulse_only=first_only,
        other_only=second_only,
        p_value=p_value,
        p_holm=p_value,
        test=test,
        verdict=verdict_of(gap.difference, p_value, settings.confidence),
    )


def compare_systems(
    system: str,
    pulse_ranks: np.ndarray,
    other_ranks: np.ndarray | None,
    candidate_count: int,
    settings: EvaluationSettings,
    seed: int,
    oracle: Collection[str] = (),
) -> Comparison:
    """PULSE against `system` on the same users in the same order; `other_ranks` is None for chance.

    Systems of `oracle` are marked in the sentence.

    `p_holm` still holds the plain p-value: the adjustment needs all comparisons (`hr1.assemble`).
    """
    chance = other_ranks is None
    values = metric_values(pulse_ranks)
    other = (
        np.broadcast_to(chance_values(candidate_count), values.shape)
        if other_ranks is None
        else metric_values(other_ranks)
    )
    draws = derive_seed(seed, "paired")
    hits = compare_hits(hit_at_1(pulse_ranks), other[:, 0], chance, settings, draws)
    return Comparison(
        sentence=_sentence(system, hits, settings.confidence, oracle),
        hr1=hits,
        mrr=compare_means(values[:, 1], other[:, 1], settings, draws),
        ndcg10=compare_means(values[:, 2], other[:, 2], settings, draws),
    )


def _sentence(system: str, hits: HitComparison, confidence: float, oracle: Collection[str]) -> str:
    name = "better than" if hits.verdict == "better" else "worse than"
    if hits.verdict == "not distinguishable":
        name = "not distinguishable from"
    first, second = (label(each) + (" (ORACLE)" if each in oracle else "") for each in ("pulse", system))
    return (
        f"{first} is {name} {second} at {confidence:.0%}: HR@1 {hits.difference:+.3f} "
        f"[{hits.low:+.3f}, {hits.high:+.3f}], p = {hits.p_value:.2g} ({hits.test})."
    )
