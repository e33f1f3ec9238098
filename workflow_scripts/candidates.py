"""Rule candidates: the target and its negatives per example, one table for all systems."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Draw the candidates of every example."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.sequence.candidates import run_candidates
        from pulse_core.sequence.cross_fit import ALL_USERS, load_models
        from pulse_core.sequence.settings import CandidateSettings, SASRecSettings

        settings = CandidateSettings.model_validate(job.params.settings)
        model = None
        if job.input.model:
            model = load_models(job.input.model, SASRecSettings.model_validate(job.params.sasrec))[ALL_USERS]
        candidates = run_candidates(
            interactions=pd.read_parquet(job.input.interactions),
            examples=pd.read_parquet(job.input.examples),
            user_ids=pd.read_parquet(job.input.users).sort_values("user")["user_id"].tolist(),
            titles=pd.read_parquet(job.input.catalogue).sort_values("item")["title"].tolist(),
            settings=settings,
            seed=job.params.seed,
            model=model,
        )
        write_table(job.output[0], candidates)


if "snakemake" in globals():
    main(globals()["snakemake"])
