"""Rule baseline_brand_repeat: candidates by their brand's frequency in the history."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Count, and rank the candidates."""
    with stage(job):
        import pandas as pd

        from pulse_core.baselines.brand_repeat import brand_repeat_predictions
        from pulse_core.baselines.popularity import training_popularity
        from pulse_core.evaluation.tables import predictions_table
        from workflow_scripts.shared.untuned import write_untuned

        examples, candidates = pd.read_parquet(job.input.examples), pd.read_parquet(job.input.candidates)
        popularity = training_popularity(pd.read_parquet(job.input.interactions), examples)
        items = pd.read_parquet(job.input.catalogue)
        write_untuned(job, predictions_table(brand_repeat_predictions(examples, candidates, items, popularity)))


if "snakemake" in globals():
    main(globals()["snakemake"])
