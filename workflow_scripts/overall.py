"""Rule overall: the tables of results/tables/ from every system's predictions in every domain."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write each table atomically."""
    with stage(job):
        from pulse_core.artifacts import whole_file
        from pulse_core.evaluation.settings import EvaluationSettings
        from pulse_core.report.by_place import by_place_table
        from pulse_core.report.overall import full_ranking_table, overall_table
        from pulse_core.report.overall_formats import full_ranking_markdown, latex, markdown
        from pulse_core.systems import SYSTEMS

        settings, domains = EvaluationSettings.model_validate(job.params.settings), read_domains(job)
        table = overall_table(domains, SYSTEMS, settings, job.params.seed)
        full, by_place = full_ranking_table(domains, SYSTEMS), by_place_table(domains, SYSTEMS)
        texts = {"md": markdown(table, settings.confidence), "tex": latex(table, settings.confidence)}
        texts["full_md"] = full_ranking_markdown(full)
        for name, frame in {"csv": table, "full_csv": full, "by_place": by_place}.items():
            texts[name] = frame.to_csv(index=False)
        for name, text in texts.items():
            with whole_file(job.output[name]) as partial:
                partial.write_text(text, encoding="utf-8")


def read_domains(job: Any) -> list[Any]:
    """The results of each domain; inputs are in the order of params `domains`, then `systems`."""
    import pandas as pd

    from pulse_core.artifacts import read_json
    from pulse_core.evaluation.domain_results import DomainResults
    from workflow_scripts.shared.measuring import rationale_engine

    systems, domains = job.params.systems, []
    for number, domain in enumerate(job.params.domains):
        of_domain = slice(number * len(systems), (number + 1) * len(systems))
        files = dict(zip(systems, job.input.predictions[of_domain], strict=True))
        metrics = dict(zip(systems, job.input.metrics[of_domain], strict=True))
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
                engine=rationale_engine(job.input.base[number]),
            )
        )
    return domains


if "snakemake" in globals():
    main(globals()["snakemake"])
