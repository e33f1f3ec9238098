"""Rule counting_baseline: popularity or brand repeat on the shared candidates."""

from typing import Any

from workflow_scripts.stage import stage


def main(job: Any) -> None:
    """Write the predictions of the floor that the wildcard names."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.evaluation.floors import brand_repeat_predictions, popularity_predictions, training_popularity
        from pulse_core.evaluation.tables import predictions_table

        examples, candidates = pd.read_parquet(job.input.examples), pd.read_parquet(job.input.candidates)
        popularity = training_popularity(pd.read_parquet(job.input.interactions), examples)
        if job.wildcards.name == "popularity":
            predictions = popularity_predictions(candidates, popularity)
        else:
            items = pd.read_parquet(job.input.catalogue)
            predictions = brand_repeat_predictions(examples, candidates, items, popularity)
        write_table(job.output.predictions, predictions_table(predictions))


if "snakemake" in globals():
    main(globals()["snakemake"])
