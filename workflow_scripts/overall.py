"""Rule overall: the tables of results/tables/ from every system's predictions in every domain."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the tables, each whole or not at all."""
    with stage(job):
        from pulse_core.artifacts import whole_file
        from pulse_core.evaluation.settings import EvaluationSettings
        from pulse_core.report.by_place import by_place_table
        from pulse_core.report.overall import full_ranking_table, overall_table
        from pulse_core.report.overall_formats import full_ranking_markdown, latex, markdown
        from pulse_core.systems import SYSTEMS

        settings = EvaluationSettings.model_validate(job.params.settings)
        domains = _domains(job)
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


def _domains(job: Any) -> list[Any]:
    """The results of each domain; inputs are in the order of params `domains`, then `systems`."""
    import pandas as pd

    from pulse_core.artifacts import read_json
    from pulse_core.generation.engine_identity import engine_of
    from pulse_core.report.overall import DomainResults

    systems = job.params.systems
    domains = []
    for number, domain in enumerate(job.params.domains):
        of_domain = slice(number * len(systems), (number + 1) * len(systems))
        files = dict(zip(systems, job.input.predictions[of_domain], strict=True))
        metrics = dict(zip(systems, job.input.metrics[of_domain], strict=True))
        models = pd.read_parquet(job.input.base[number], columns=["model"])["model"]
        domains.append(
            DomainResults(
                domain=domain,
                predictions={system: pd.read_parquet(file) for system, file in files.items()},
                metrics={system: read_json(file) for system, file in metrics.items()},
                files=files,
                examples=pd.read_parquet(job.input.examples[number]),
                candidates=pd.read_parquet(job.input.candidates[number]),
                statistics=read_json(job.input.statistics[number]),
                behaviour=job.params.behaviour,
                engine="+".join(sorted({engine_of(model) for model in models})),
            )
        )
    return domains


if "snakemake" in globals():
    main(globals()["snakemake"])
