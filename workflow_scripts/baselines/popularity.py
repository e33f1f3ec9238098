"""Rule baseline_popularity: candidates by number of training purchases."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Count, and rank the candidates."""
    with stage(job):
        import pandas as pd

        from pulse_core.baselines.popularity import popularity_predictions, training_popularity
        from pulse_core.evaluation.tables import predictions_table
        from workflow_scripts.shared.untuned import write_untuned

        examples, candidates = pd.read_parquet(job.input.examples), pd.read_parquet(job.input.candidates)
        popularity = training_popularity(pd.read_parquet(job.input.interactions), examples)
        write_untuned(job, predictions_table(popularity_predictions(candidates, popularity)))


if "snakemake" in globals():
    main(globals()["snakemake"])
