"""Rule baseline_brand_repeat: candidates by their brand's frequency in the history."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Count, and rank the candidates."""
    with stage(job):
        import pandas as pd

        from pulse_core.baselines.domain import predictions
        from pulse_core.baselines.floors import brand_keys, brand_repeat_scores
        from workflow_scripts.shared.domains import domain_of
        from workflow_scripts.shared.untuned import write_untuned

        domain = domain_of(job)
        brands = brand_keys(pd.read_parquet(job.input.catalogue).sort_values("item"))
        write_untuned(job, predictions(lambda part: brand_repeat_scores(domain, brands, part), domain))


if "snakemake" in globals():
    main(globals()["snakemake"])
