"""Rule baseline_popularity: candidates by number of training purchases."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Count, and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.domain import predictions
        from pulse_core.baselines.floors import popularity_scores
        from workflow_scripts.shared.domains import domain_of
        from workflow_scripts.shared.untuned import write_untuned

        domain = domain_of(job)
        write_untuned(job, predictions(lambda part: popularity_scores(domain, part), domain))


if "snakemake" in globals():
    main(globals()["snakemake"])
