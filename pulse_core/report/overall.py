"""The overall table: every system in every domain on the same users and candidates, tested against PULSE."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import all_results, compare_all
from pulse_core.evaluation.metrics import METRICS
from pulse_core.evaluation.notices import corpus_name, notices
from pulse_core.evaluation.predictions import aligned_ranks, candidate_count
from pulse_core.evaluation.schema import Comparison, SystemResult
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.report.paper_figures import PAPER_FIGURES, PaperFigure
from pulse_core.systems import CHANCE, System

COLUMNS = (
    *("domain", "corpus", "system", "label", "group", "users", "candidates"),
    *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")),
    *("difference", "difference_low", "difference_high", "test", "p_value", "p_holm", "verdict", "oracle"),
    *("trials", "chosen", "source", "note"),
)
FULL_RANKING_METRICS = ("hr1", "hr10", "ndcg10", "mrr")


@dataclass(frozen=True)
class DomainResults:
    """Inputs of one domain's figures."""

    domain: str
    predictions: Mapping[str, pd.DataFrame]
    """system -> predictions in the common schema."""
    metrics: Mapping[str, Mapping[str, Any]]
    """system -> metrics.json; a system without one has no trials."""
    files: Mapping[str, str]
    """system -> file of its predictions, for messages."""
    examples: pd.DataFrame
    candidates: pd.DataFrame
    statistics: Mapping[str, Any]
    """corpus/statistics.json."""
    behaviour: str = "history"
    engine: str = "transformers"

    @property
    def corpus(self) -> str:
        """`synthetic`, or the source of the raw files."""
        return corpus_name(self.statistics)

    @property
    def note(self) -> str:
        """The warnings for every row of the domain."""
        return notices(self.corpus, self.behaviour, self.engine)

    def oracle(self, systems: Sequence[System]) -> set[str]:
        """The systems that read rationales whose selection saw the target."""
        return {system.name for system in systems if system.rationales} if self.behaviour == "oracle" else set()


def overall_table(
    domains: Sequence[DomainResults],
    systems: Sequence[System],
    settings: EvaluationSettings,
    seed: int,
    paper: Sequence[PaperFigure] = PAPER_FIGURES,
) -> pd.DataFrame:
    """One row per (domain, system) of ours, in the order of `systems`, then one per figure of the papers (COLUMNS).

    Differences are PULSE minus the system; `p_holm` is adjusted over the systems of one domain.

    Raises:
        InputError: a system's predictions are missing, or are not of the domain's users and candidates.
    """
    rows = [row for domain in domains for row in _domain_rows(domain, systems, settings, seed)]
    known = {system.name: system for system in (*systems, CHANCE)}
    rows += [_paper_row(figure, known[figure.system]) for figure in paper if figure.system in known]
    integer_columns = dict.fromkeys(("users", "candidates", "trials"), "Int64")  # the papers' rows have none
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(integer_columns)


def _domain_rows(
    results: DomainResults, systems: Sequence[System], settings: EvaluationSettings, seed: int
) -> list[dict[str, Any]]:
    domain, examples = results.domain, results.examples
    sampled = examples[examples["sampled"].astype(bool)]
    if not (sampled["split"] == "test").any():
        raise InputError(f"{domain}: no sampled user has a test example; sample more users or relax the filter")
    ranks: dict[str, Any] = {}
    for name in (system.name for system in systems):
        if name not in results.predictions:
            raise InputError(f"{domain}: the overall table needs the predictions of {name!r}")
        file = results.files.get(name, name)
        ranks[name] = aligned_ranks(results.predictions[name], sampled, results.candidates, "test", file).to_numpy()
    count, oracle = candidate_count(results.candidates), results.oracle(systems)
    figures = all_results(ranks, count, settings, seed, oracle)
    comparisons = compare_all(ranks, count, settings, seed, oracle)
    shared = {"domain": domain, "corpus": results.corpus, "candidates": count, "source": "ours", "note": results.note}
    return [
        {
            **shared,
            **_named(system),
            **_figures(figures[system.name]),
            **_compared(comparisons.get(system.name)),
            **_tuning(results.metrics.get(system.name, {})),
        }
        for system in (*systems, CHANCE)
    ]


def _named(system: System) -> dict[str, str]:
    return {"system": system.name, "label": system.label, "group": system.group}


def _figures(result: SystemResult) -> dict[str, Any]:
    row: dict[str, Any] = {"users": result.users, "oracle": result.oracle}
    for metric in METRICS:
        estimate = getattr(result, metric)
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
    return row


def _compared(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:  # PULSE
        return {}
    hits = comparison.hr1
    interval = {"difference_low": hits.low, "difference_high": hits.high}
    return interval | hits.model_dump(include={"difference", "test", "p_value", "p_holm", "verdict"})


def _tuning(metrics: Mapping[str, Any]) -> dict[str, Any]:
    trials = metrics.get("trials") or []
    return {
        "trials": len(trials),
        "chosen": json.dumps(trials[metrics["chosen"]]["changed"], sort_keys=True) if trials else "",
    }


def _paper_row(figure: PaperFigure, system: System) -> dict[str, Any]:
    return {
        **_named(system),
        "domain": figure.domain,
        "corpus": figure.paper,
        "hr1": figure.value,
        "source": "paper",
        "note": f"{figure.paper}: {figure.protocol}",
    }


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
