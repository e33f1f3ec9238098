"""Rule overall: the tables of results/tables/ from every system's predictions in every domain."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the tables, each whole or not at all."""
    with stage(job):
        from pulse_core.artifacts import whole_file
        from pulse_core.baselines.registry import SYSTEMS
        from pulse_core.evaluation.settings import EvaluationSettings
        from pulse_core.report.by_place import by_place_table
        from pulse_core.report.overall import full_ranking_table, overall_table
        from pulse_core.report.overall_formats import full_ranking_markdown, latex, markdown

        settings = EvaluationSettings.model_validate(job.params.settings)
        domains = [_domain(name, job) for name in job.params.domains]
        table = overall_table(domains, SYSTEMS, settings, job.params.seed)
        full = full_ranking_table(domains, SYSTEMS)
        texts = {
            "csv": table.to_csv(index=False),
            "md": markdown(table, settings.confidence),
            "tex": latex(table, settings.confidence),
            "full_csv": full.to_csv(index=False),
            "full_md": full_ranking_markdown(full),
            "by_place": by_place_table(domains, SYSTEMS).to_csv(index=False),
        }
        for name, text in texts.items():
            with whole_file(job.output[name]) as partial:
                partial.write_text(text, encoding="utf-8")


def _domain(name: str, job: Any) -> Any:
    import pandas as pd

    from pulse_core.artifacts import read_json
    from pulse_core.generation.engine_identity import engine_of
    from pulse_core.report.overall import DomainResults

    root = Path("results") / name
    here = [Path(file) for file in job.input if Path(file).is_relative_to(root)]
    files = {file.parent.name: file for file in here if file.name == "predictions.parquet"}
    base = pd.read_parquet(root / job.params.base, columns=["model"])
    return DomainResults(
        domain=name,
        predictions={system: pd.read_parquet(file) for system, file in files.items()},
        metrics={file.parent.name: read_json(file) for file in here if file.name == "metrics.json"},
        files={system: str(file) for system, file in files.items()},
        examples=pd.read_parquet(root / "examples.parquet"),
        candidates=pd.read_parquet(root / "candidates.parquet"),
        statistics=read_json(root / "corpus/statistics.json"),
        behaviour=job.params.behaviour,
        engine="+".join(sorted({engine_of(model) for model in base["model"]})),
    )


if "snakemake" in globals():
    main(globals()["snakemake"])
