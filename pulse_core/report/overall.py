"""The overall table: every system in every domain on the same users and candidates, tested against PULSE."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pulse_core.evaluation.compare import all_results, compare_all
from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.metrics import METRICS
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.report.paper_figures import PAPER_FIGURES
from pulse_core.systems import CHANCE, System

COLUMNS = (
    *("domain", "corpus", "system", "label", "group", "users", "candidates"),
    *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")),
    *("difference", "difference_low", "difference_high", "test", "p_value", "p_holm", "verdict", "oracle"),
    *("trials", "chosen", "source", "note"),
)
FULL_RANKING_METRICS = ("hr1", "hr10", "ndcg10", "mrr")


def overall_table(
    domains: Sequence[DomainResults], systems: Sequence[System], settings: EvaluationSettings, seed: int
) -> pd.DataFrame:
    """One row per (domain, system) of ours, in the order of `systems`, then one per figure of the papers (COLUMNS).

    Differences are PULSE minus the system; `p_holm` is adjusted over the systems of one domain.

    Raises:
        InputError: a system's predictions are missing, or are not of the domain's users and candidates.
    """
    rows = [row for results in domains for row in _domain_rows(results, systems, settings, seed)]
    known = {system.name: system for system in (*systems, CHANCE)}
    rows += [
        {
            **_named(known[figure.system]),
            "domain": figure.domain,
            "corpus": figure.paper,
            "hr1": figure.value,
            "source": "paper",
            "note": f"{figure.paper}: {figure.protocol}",
        }
        for figure in PAPER_FIGURES
        if figure.system in known
    ]
    integer_columns = dict.fromkeys(("users", "candidates", "trials"), "Int64")  # the papers' rows have none
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(integer_columns)


def _domain_rows(
    results: DomainResults, systems: Sequence[System], settings: EvaluationSettings, seed: int
) -> list[dict[str, Any]]:
    ranks = results.ranks(system.name for system in systems)
    count, oracle = results.candidate_count, results.oracle
    figures = all_results(ranks, count, settings, seed, oracle)
    comparisons = compare_all(ranks, count, settings, seed, oracle)
    shared = {"domain": results.domain, "corpus": results.corpus, "source": "ours", "note": results.notice}
    rows = []
    for system in (*systems, CHANCE):
        result, metrics = figures[system.name], results.metrics.get(system.name, {})
        row = {**shared, **_named(system), "users": result.users, "candidates": count, "oracle": result.oracle}
        for metric in METRICS:
            estimate = getattr(result, metric)
            row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        if system.name in comparisons:  # all but PULSE
            hits = comparisons[system.name].hr1
            row |= {"difference_low": hits.low, "difference_high": hits.high}
            row |= hits.model_dump(include={"difference", "test", "p_value", "p_holm", "verdict"})
        trials = metrics.get("trials") or []
        chosen = json.dumps(trials[metrics["chosen"]]["changed"], sort_keys=True) if trials else ""
        rows.append({**row, "trials": len(trials), "chosen": chosen})
    return rows


def _named(system: System) -> dict[str, str]:
    return {"system": system.name, "label": system.label, "group": system.group}


def full_ranking_table(domains: Sequence[DomainResults], systems: Sequence[System]) -> pd.DataFrame:
    """HR@1, HR@10, NDCG@10 and MRR over the whole catalogue, of the systems whose metrics.json has `full_ranking`."""
    rows = []
    for results in domains:
        for system in systems:
            full = results.metrics.get(system.name, {}).get("full_ranking", {})
            for split, figures in sorted(full.items(), reverse=True):
                values = [figures[metric] for metric in FULL_RANKING_METRICS]
                rows.append([results.domain, results.corpus, system.name, system.label, split, *values])
    return pd.DataFrame(rows, columns=["domain", "corpus", "system", "label", "split", *FULL_RANKING_METRICS])
