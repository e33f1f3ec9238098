"""Computes hr1.json from the inputs of rule hr1."""

from typing import Any

import pandas as pd

from pulse_core.artifacts import read_json, write_json
from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.hr1 import assemble
from pulse_core.evaluation.leak_audit import leak_audit
from pulse_core.evaluation.provenance import stage_seconds, versions
from pulse_core.evaluation.schema import LeakAudit, WhyRecall
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.why_recall import why_recall
from pulse_core.generation.requests import engine_of
from workflow_scripts.job.stage import REPOSITORY

Frames = dict[str, pd.DataFrame]


def measure(job: Any) -> None:
    """Measure all systems on the same users and write hr1.json."""
    settings = EvaluationSettings.model_validate(job.params.settings)
    files = dict(zip(job.params.systems, job.input.predictions, strict=True))
    tables = {
        name: pd.read_parquet(job.input[name]) for name in ("examples", "candidates", "selected", "users", "catalogue")
    }
    results = DomainResults(
        domain=job.wildcards.domain,
        predictions={name: pd.read_parquet(file) for name, file in files.items()},
        files=files,
        examples=tables["examples"],
        candidates=tables["candidates"],
        statistics=read_json(job.input.statistics),
        behaviour=job.params.protocol["behaviour"],
        engine=rationale_engine(job.input.base),
    )
    recorded = {
        **job.params.recorded,
        "seeds": {"run": job.params.seed},
        "versions": versions(REPOSITORY),
        "stages": stage_seconds(job.params.benchmarks),
        "why_recall": _why_recall(job, tables, settings),
        "leak_audit": _leak_audit(job, tables["selected"], results, settings),
        "neighbour_leak": read_json(job.input.leak),
    }
    protocol = job.params.protocol
    hr1 = assemble(results, protocol["split"], protocol["candidate_strategy"], recorded, settings, job.params.seed)
    write_json(job.output[0], hr1)


def rationale_engine(base: Any) -> str:
    """Name of the engine that wrote a file of base rationales; several are joined with +."""
    return "+".join(sorted({engine_of(model) for model in pd.read_parquet(base, columns=["model"])["model"]}))


def _why_recall(job: Any, tables: Frames, settings: EvaluationSettings) -> WhyRecall | None:
    """None for a corpus without planted reasons."""
    if not job.input.get("truth"):
        return None
    return why_recall(
        tables["selected"],
        pd.read_parquet(job.input.tree),
        tables["examples"],
        pd.read_parquet(job.input.truth),
        read_json(job.input.drivers),
        tables["users"],
        tables["catalogue"],
        settings,
        job.params.seed,
    )


def _leak_audit(
    job: Any, selected: pd.DataFrame, results: DomainResults, settings: EvaluationSettings
) -> LeakAudit | None:
    """None where selection sees the target anyway."""
    if not job.input.get("oracle"):
        return None
    oracle, predictions = (pd.read_parquet(job.input[name]) for name in ("oracle", "oracle_predictions"))
    return leak_audit(selected, oracle, results, predictions, settings, job.params.seed)
