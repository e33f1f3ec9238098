"""Rule neighbours: each example's nearest users by SASRec state, and their most informative items."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the neighbours, and how often their items include the target in training and test."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_json, write_table
        from pulse_core.sequence.cross_fit import load_models
        from pulse_core.sequence.neighbour_stage import run_neighbours
        from pulse_core.sequence.settings import NeighbourSettings, SASRecSettings

        sasrec = SASRecSettings.model_validate(job.params.sasrec)
        neighbours, leak = run_neighbours(
            interactions=pd.read_parquet(job.input.interactions),
            examples=pd.read_parquet(job.input.examples),
            user_ids=pd.read_parquet(job.input.users).sort_values("user")["user_id"].tolist(),
            models=load_models(job.input.model, sasrec),
            sasrec=sasrec,
            settings=NeighbourSettings.model_validate(job.params.settings),
            seed=job.params.seed,
        )
        write_table(job.output.neighbours, neighbours)
        write_json(job.output.leak, leak)


if "snakemake" in globals():
    main(globals()["snakemake"])
