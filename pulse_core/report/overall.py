"""The overall table: every system in every domain on the same users and candidates, tested against PULSE."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pulse_core.baselines.registry import FLOOR, System
from pulse_core.errors import InputError
from pulse_core.evaluation.compare import chance_result, compare_systems, system_result
from pulse_core.evaluation.hr1 import FAKE_NOTICE, ORACLE_NOTICE, SYNTHETIC_NOTICE, candidate_count
from pulse_core.evaluation.metrics import METRICS
from pulse_core.evaluation.predictions import aligned_ranks
from pulse_core.evaluation.schema import Comparison, SystemResult
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.significance import holm
from pulse_core.report.paper_figures import PAPER_FIGURES, PaperFigure

PULSE = "pulse"
CHANCE = System("chance", "chance", FLOOR)
COLUMNS = (
    *("domain", "corpus", "system", "label", "group", "users", "candidates"),
    *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")),
    *("difference", "difference_low", "difference_high", "test", "p_value", "p_holm", "verdict", "oracle"),
    *("trials", "chosen", "source", "note"),
)
READS_SELECTION = {"rationales", "ranker:thought_space"}


@dataclass(frozen=True)
class DomainResults:
    """What one domain's figures are made from."""

    domain: str
    predictions: Mapping[str, pd.DataFrame]
    """system -> the one schema of predictions."""
    metrics: Mapping[str, Mapping[str, Any]]
    """system -> metrics.json; a system without one has no trials to tell."""
    files: Mapping[str, str]
    """system -> where its predictions were read, for messages."""
    examples: pd.DataFrame
    candidates: pd.DataFrame
    statistics: Mapping[str, Any]
    """corpus/statistics.json."""
    behaviour: str = "history"
    engine: str = "transformers"


def overall_table(
    domains: Sequence[DomainResults],
    systems: Sequence[System],
    settings: EvaluationSettings,
    seed: int,
    paper: Sequence[PaperFigure] = PAPER_FIGURES,
) -> pd.DataFrame:
    """One row a (domain, system) of ours, in the order of `systems`, then one a figure of the papers (COLUMNS).

    Differences are PULSE less the system; `p_holm` is adjusted over the systems of one domain.

    Raises:
        InputError: a system's predictions are missing, or are not of the domain's users and candidates.
    """
    ordered = (*systems, CHANCE)
    rows = [row for domain in domains for row in _domain_rows(domain, ordered, settings, seed)]
    known = {system.name: system for system in ordered}
    rows += [_paper_row(figure, known) for figure in paper if figure.system in known]
    whole = dict.fromkeys(("users", "candidates", "trials"), "Int64")  # the papers' rows have none
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def corpus_name(statistics: Mapping[str, Any]) -> str:
    """`synthetic`, or the source of the raw files."""
    if "source" not in statistics:
        raise InputError("corpus/statistics.json: key 'source' is missing; make the corpus again")
    synthetic = "synthetic" in (statistics.get("corpus"), statistics["source"])
    return "synthetic" if synthetic else str(statistics["source"])


def shown_the_answer(given: DomainResults, systems: Sequence[System]) -> set[str]:
    """The systems that read rationales which an oracle selected."""
    reads = {each.name for each in systems if READS_SELECTION & set(each.needs)}
    return reads if given.behaviour == "oracle" else set()


def notices(given: DomainResults) -> str:
    """What every row of the domain has to say of itself."""
    said = {
        SYNTHETIC_NOTICE: corpus_name(given.statistics) == "synthetic",
        ORACLE_NOTICE: given.behaviour == "oracle",
        FAKE_NOTICE: given.engine == "fake",
    }
    return " ".join(notice for notice, holds in said.items() if holds)


def _domain_rows(
    given: DomainResults, systems: Sequence[System], settings: EvaluationSettings, seed: int
) -> list[dict[str, Any]]:
    sampled = given.examples[given.examples["sampled"].astype(bool)]
    if not (sampled["split"] == "test").any():
        raise InputError(f"{given.domain}: no sampled user has a test example; sample more users or relax the filter")
    count = candidate_count(given.candidates)
    ranks: dict[str, Any] = {}
    for system in systems:
        if system is CHANCE:
            continue
        if system.name not in given.predictions:
            raise InputError(f"{given.domain}: the overall table needs the predictions of {system.name!r}")
        file = given.files.get(system.name, system.name)
        ranks[system.name] = aligned_ranks(
            given.predictions[system.name], sampled, given.candidates, "test", file
        ).to_numpy()
    users = len(ranks[PULSE])
    oracle = shown_the_answer(given, systems)
    found = {name: system_result(each, settings, seed, name in oracle) for name, each in ranks.items()}
    found[CHANCE.name] = chance_result(users, count)
    compared = {
        name: compare_systems(name, ranks[PULSE], ranks.get(name), count, settings, seed, oracle)
        for name in found
        if name != PULSE
    }
    adjusted = holm({name: each.hr1.p_value for name, each in compared.items()})
    shared = {
        "domain": given.domain,
        "corpus": corpus_name(given.statistics),
        "candidates": count,
        "source": "ours",
        "note": notices(given),
    }
    return [
        {
            **shared,
            **_named(system),
            **_figures(found[system.name]),
            **_compared(compared.get(system.name), adjusted.get(system.name)),
            **_tuning(given.metrics.get(system.name, {})),
        }
        for system in systems
    ]


def _named(system: System) -> dict[str, str]:
    return {"system": system.name, "label": system.label, "group": system.group}


def _figures(result: SystemResult) -> dict[str, Any]:
    row: dict[str, Any] = {"users": result.users, "oracle": result.oracle}
    for metric in METRICS:
        estimate = getattr(result, metric)
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
    return row


def _compared(comparison: Comparison | None, p_holm: float | None) -> dict[str, Any]:
    if comparison is None:
        return {}
    hits = comparison.hr1
    return {
        "difference": hits.difference,
        "difference_low": hits.low,
        "difference_high": hits.high,
        "test": hits.test,
        "p_value": hits.p_value,
        "p_holm": p_holm,
        "verdict": hits.verdict,
    }


def _tuning(metrics: Mapping[str, Any]) -> dict[str, Any]:
    trials = metrics.get("trials") or []
    chosen = trials[metrics["chosen"]]["changed"] if trials else {}
    return {"trials": len(trials), "chosen": json.dumps(chosen, sort_keys=True) if trials else ""}


def _paper_row(figure: PaperFigure, known: Mapping[str, System]) -> dict[str, Any]:
    return {
        **_named(known[figure.system]),
        "domain": figure.domain,
        "corpus": figure.paper,
        "hr1": figure.value,
        "source": "paper",
        "note": f"{figure.paper}: {figure.protocol}",
    }


def full_ranking_table(domains: Sequence[DomainResults], systems: Sequence[System]) -> pd.DataFrame:
    """HR@1, HR@10, NDCG@10 and MRR over the whole catalogue, of the systems whose metrics.json has `full_ranking`."""
    rows = [
        {
            "domain": given.domain,
            "corpus": corpus_name(given.statistics),
            "system": system.name,
            "label": system.label,
            "split": split,
            "hr1": figures["hr@1"],
            "hr10": figures["hr@10"],
            "ndcg10": figures["ndcg@10"],
            "mrr": figures["mrr"],
        }
        for given in domains
        for system in systems
        for split, figures in sorted(given.metrics.get(system.name, {}).get("full_ranking", {}).items(), reverse=True)
    ]
    return pd.DataFrame(rows, columns=["domain", "corpus", "system", "label", "split", "hr1", "hr10", "ndcg10", "mrr"])
