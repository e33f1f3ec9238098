"""Rule sasrec_baseline: SASRec's scores of the shared candidates."""

from typing import Any

from workflow_scripts.stage import stage


def main(job: Any) -> None:
    """Write the predictions of the model trained on all users."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.sequence.settings import SASRecSettings
        from pulse_core.sequence.stages import load_fold_models, sasrec_predictions

        models = load_fold_models(job.input.model, SASRecSettings.model_validate(job.params.settings))
        predictions = sasrec_predictions(
            models, pd.read_parquet(job.input.examples), pd.read_parquet(job.input.candidates)
        )
        write_table(job.output.predictions, predictions)


if "snakemake" in globals():
    main(globals()["snakemake"])
