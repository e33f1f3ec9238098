"""From ranks to results: metrics with intervals, and paired tests of PULSE against every other system."""

from collections.abc import Collection, Mapping

import numpy as np

from pulse_core.evaluation.intervals import bootstrap_means, percentile_interval
from pulse_core.evaluation.metrics import METRICS, chance_values, metric_values
from pulse_core.evaluation.schema import (
    Comparison,
    Estimate,
    HitComparison,
    HitDifference,
    MeanComparison,
    SystemResult,
    Verdict,
)
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import binomial_against, holm, mcnemar_exact, paired_bootstrap
from pulse_core.rank_metrics import hit_at_1
from pulse_core.seeding import derive_seed
from pulse_core.systems import CHANCE, PULSE, label


def estimates(values: np.ndarray, settings: EvaluationSettings, seed: int) -> list[Estimate]:
    """Mean and interval of each column of values in [0, 1], shape (users, columns)."""
    means = bootstrap_means(values, settings.bootstrap_samples, seed)
    low, high = (np.clip(end, 0.0, 1.0) for end in percentile_interval(means, settings.confidence))
    # Sorted, so that rounding does not depend on the order of the users.
    centre = np.clip(np.sort(values, axis=0).mean(axis=0), 0.0, 1.0)
    return [
        Estimate(value=float(value), low=float(least), high=float(most))
        for value, least, most in zip(centre, low, high, strict=True)
    ]


def system_result(ranks: np.ndarray, settings: EvaluationSettings, seed: int, oracle: bool = False) -> SystemResult:
    """Metrics with intervals of one system from the ranks of its users, shape (users,).

    The draws depend on the run's seed and the ranks only, so adding a system changes no other interval.
    """
    figures = estimates(metric_values(ranks), settings, derive_seed(seed, "interval"))
    return SystemResult(users=len(ranks), oracle=oracle, **dict(zip(METRICS, figures, strict=True)))


def chance_result(users: int, candidate_count: int) -> SystemResult:
    """Exact expectation of random scores."""
    figures = [Estimate(value=value, low=value, high=value) for value in chance_values(candidate_count).tolist()]
    return SystemResult(users=users, **dict(zip(METRICS, figures, strict=True)))


def all_results(
    ranks: Mapping[str, np.ndarray],
    candidate_count: int,
    settings: EvaluationSettings,
    seed: int,
    oracle: Collection[str] = (),
) -> dict[str, SystemResult]:
    """System -> metrics, chance included. `ranks`: system -> ranks of the same users in the same order, (users,)."""
    results = {name: system_result(values, settings, seed, name in oracle) for name, values in ranks.items()}
    return {**results, CHANCE.name: chance_result(len(ranks[PULSE.name]), candidate_count)}


def verdict_of(difference: float, p_value: float, confidence: float) -> Verdict:
    """Whether a difference is significant at this confidence, in words."""
    if p_value >= 1.0 - confidence or difference == 0.0:
        return "not distinguishable"
    return "better" if difference > 0 else "worse"


def compare_means(first: np.ndarray, second: np.ndarray, settings: EvaluationSettings, seed: int) -> MeanComparison:
    """Paired bootstrap of first - second, values of the same users in the same order, shape (users,)."""
    result = paired_bootstrap(first, second, settings.bootstrap_samples, settings.confidence, seed)
    return MeanComparison(
        difference=result.difference,
        low=result.low,
        high=result.high,
        p_value=result.p_value,
        verdict=verdict_of(result.difference, result.p_value, settings.confidence),
    )


def compare_hits(
    first: np.ndarray, second: np.ndarray | float, settings: EvaluationSettings, seed: int
) -> tuple[HitDifference, int | None, int | None]:
    """Paired difference in hits, and the numbers of users on whom only the first and only the second system hit.

    Args:
        first: hits, 0 or 1, shape (users,).
        second: hits of the same users in the same order, or the level of chance; the numbers are None for chance.
    """
    values = np.broadcast_to(second, first.shape)
    gap = paired_bootstrap(first, values, settings.bootstrap_samples, settings.confidence, seed)
    first_only = second_only = None
    if isinstance(second, float):
        p_value = binomial_against(first, second)
    else:
        discordance = mcnemar_exact(first, values)
        p_value, first_only, second_only = discordance.p_value, discordance.first_only, discordance.second_only
    hits = HitDifference(
        difference=gap.difference,
        low=gap.low,
        high=gap.high,
        p_value=p_value,
        test="exact binomial" if isinstance(second, float) else "McNemar exact",
        verdict=verdict_of(gap.difference, p_value, settings.confidence),
    )
    return hits, first_only, second_only


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

    The sentence marks systems in `oracle`. `p_holm` is the plain p-value: `compare_all` adjusts it.
    """
    values, bootstrap_seed = metric_values(pulse_ranks), derive_seed(seed, "paired")
    if other_ranks is None:
        other = np.broadcast_to(chance_values(candidate_count), values.shape)
        hits, pulse_only, other_only = compare_hits(hit_at_1(pulse_ranks), float(other[0, 0]), settings, bootstrap_seed)
    else:
        other = metric_values(other_ranks)
        hits, pulse_only, other_only = compare_hits(hit_at_1(pulse_ranks), other[:, 0], settings, bootstrap_seed)
    return Comparison(
        sentence=_sentence(system, hits, settings.confidence, oracle),
        hr1=HitComparison(**hits.model_dump(), pulse_only=pulse_only, other_only=other_only, p_holm=hits.p_value),
        mrr=compare_means(values[:, 1], other[:, 1], settings, bootstrap_seed),
        ndcg10=compare_means(values[:, 2], other[:, 2], settings, bootstrap_seed),
    )


def compare_all(
    ranks: Mapping[str, np.ndarray],
    candidate_count: int,
    settings: EvaluationSettings,
    seed: int,
    oracle: Collection[str] = (),
) -> dict[str, Comparison]:
    """PULSE against every other system and chance, with Holm's adjustment over all of them."""
    others = {name: values for name, values in ranks.items() if name != PULSE.name} | {CHANCE.name: None}
    compared = {
        name: compare_systems(name, ranks[PULSE.name], values, candidate_count, settings, seed, oracle)
        for name, values in others.items()
    }
    adjusted = holm({name: comparison.hr1.p_value for name, comparison in compared.items()})
    return {
        name: comparison.model_copy(update={"hr1": comparison.hr1.model_copy(update={"p_holm": adjusted[name]})})
        for name, comparison in compared.items()
    }


def _sentence(system: str, hits: HitDifference, confidence: float, oracle: Collection[str]) -> str:
    verdict = {"better": "better than", "worse": "worse than", "not distinguishable": "not distinguishable from"}
    first, second = (label(name) + (" (ORACLE)" if name in oracle else "") for name in (PULSE.name, system))
    return (
        f"{first} is {verdict[hits.verdict]} {second} at {confidence:.0%}: HR@1 {hits.difference:+.3f} "
        f"[{hits.low:+.3f}, {hits.high:+.3f}], p = {hits.p_value:.2g} ({hits.test})."
    )
