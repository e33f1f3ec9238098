"""From ranks to results: metrics with intervals, and paired tests of PULSE against every other system."""

from collections.abc import Collection, Mapping

import numpy as np
from scipy.stats import binomtest

from pulse_core.evaluation.metrics import METRICS, chance_values, metric_values
from pulse_core.evaluation.schema import Comparison, Difference, Estimate, HitComparison, SystemResult
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import (
    bootstrap_means,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    percentile_interval,
    verdict_of,
)
from pulse_core.seeding import derive_seed
from pulse_core.systems import CHANCE, PULSE, label


def estimates(values: np.ndarray, settings: EvaluationSettings, seed: int) -> list[Estimate]:
    """Mean and interval of each column of values in [0, 1], shape (users, columns)."""
    means = bootstrap_means(values, settings.bootstrap_samples, seed)
    low, high = (np.clip(end, 0.0, 1.0) for end in percentile_interval(means, settings.confidence))
    # Sorted, so that rounding does not depend on the order of the users.
    centre = np.clip(np.sort(values, axis=0).mean(axis=0), 0.0, 1.0)
    return [
        Estimate(value=value, low=least, high=most)
        for value, least, most in zip(centre.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def system_result(ranks: np.ndarray, settings: EvaluationSettings, seed: int, oracle: bool = False) -> SystemResult:
    """Metrics with intervals of one system from the ranks of its users, shape (users,).

    The draws depend on the run's seed and the ranks only, so adding a system changes no other interval.
    """
    figures = estimates(metric_values(ranks), settings, derive_seed(seed, "interval"))
    return SystemResult(users=len(ranks), oracle=oracle, **dict(zip(METRICS, figures, strict=True)))


def all_results(
    ranks: Mapping[str, np.ndarray],
    candidate_count: int,
    settings: EvaluationSettings,
    seed: int,
    oracle: Collection[str] = (),
) -> dict[str, SystemResult]:
    """System -> metrics, from ranks of the same users, shape (users,); chance, which is exact, is added.

    `oracle` names the systems to mark as such.
    """
    results = {name: system_result(values, settings, seed, name in oracle) for name, values in ranks.items()}
    exact = [Estimate(value=value, low=value, high=value) for value in chance_values(candidate_count).tolist()]
    chance = SystemResult(users=len(ranks[PULSE.name]), **dict(zip(METRICS, exact, strict=True)))
    return {**results, CHANCE.name: chance}


def compare_hits(
    first: np.ndarray, second: np.ndarray | float, settings: EvaluationSettings, seed: int
) -> tuple[Difference, int | None, int | None]:
    """Paired difference in hits, 0 or 1, shape (users,); `second` may be the level of chance.

    Returns:
        The difference, and on how many users only the first and only the second system hit (None against chance).
    """
    gap = paired_bootstrap(first, np.broadcast_to(second, first.shape), settings, seed)
    first_only = second_only = None
    if isinstance(second, float):
        test, p_value = "exact binomial", float(binomtest(int(first.sum()), len(first), second).pvalue)
    else:
        test, (p_value, first_only, second_only) = "McNemar exact", mcnemar_exact(first, second)
    verdict = verdict_of(gap.difference, p_value, settings.confidence)
    return gap.model_copy(update={"p_value": p_value, "test": test, "verdict": verdict}), first_only, second_only


def compare_all(
    ranks: Mapping[str, np.ndarray],
    candidate_count: int,
    settings: EvaluationSettings,
    seed: int,
    oracle: Collection[str] = (),
) -> dict[str, Comparison]:
    """PULSE against every other system and chance, with Holm's adjustment over all of them; arguments as above."""
    pulse, bootstrap_seed = metric_values(ranks[PULSE.name]), derive_seed(seed, "paired")
    others = {name: metric_values(values) for name, values in ranks.items() if name != PULSE.name}
    hits = {name: compare_hits(pulse[:, 0], values[:, 0], settings, bootstrap_seed) for name, values in others.items()}
    chance = chance_values(candidate_count)
    others[CHANCE.name] = np.broadcast_to(chance, pulse.shape)
    hits[CHANCE.name] = compare_hits(pulse[:, 0], float(chance[0]), settings, bootstrap_seed)
    adjusted = holm({name: gap.p_value for name, (gap, _, _) in hits.items()})
    return {
        name: Comparison(
            sentence=_sentence(name, gap, settings.confidence, oracle),
            hr1=HitComparison(**dict(gap), pulse_only=pulse_only, other_only=other_only, p_holm=adjusted[name]),
            mrr=paired_bootstrap(pulse[:, 1], others[name][:, 1], settings, bootstrap_seed),
            ndcg10=paired_bootstrap(pulse[:, 2], others[name][:, 2], settings, bootstrap_seed),
        )
        for name, (gap, pulse_only, other_only) in hits.items()
    }


def _sentence(system: str, hits: Difference, confidence: float, oracle: Collection[str]) -> str:
    relation = {"better": "better than", "worse": "worse than", "not distinguishable": "not distinguishable from"}
    first, second = (label(name) + (" (ORACLE)" if name in oracle else "") for name in (PULSE.name, system))
    return (
        f"{first} is {relation[hits.verdict]} {second} at {confidence:.0%}: HR@1 {hits.difference:+.3f} "
        f"[{hits.low:+.3f}, {hits.high:+.3f}], p = {hits.p_value:.2g} ({hits.test})."
    )
