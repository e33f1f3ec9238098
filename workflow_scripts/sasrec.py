"""Rule sasrec: SASRec trained on the training sequences, the states of all examples, full-ranking metrics."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Train the model and its cross-fitted copies."""
    with stage(job):
        import pandas as pd

        from pulse_core.checkpoints import Checkpoint
        from pulse_core.sequence.sasrec_stage import run_sasrec
        from pulse_core.sequence.settings import SASRecSettings

        checkpoint = Checkpoint(Path(job.params.work), job.params.code)
        run_sasrec(
            interactions=pd.read_parquet(job.input.interactions),
            examples=pd.read_parquet(job.input.examples),
            user_ids=pd.read_parquet(job.input.users).sort_values("user")["user_id"].tolist(),
            item_count=len(pd.read_parquet(job.input.catalogue, columns=["item"])),
            settings=SASRecSettings.model_validate(job.params.settings),
            seed=job.params.seed,
            out=Path(job.output.model).parent,
            checkpoint=checkpoint,
        )
        checkpoint.remove()


if "snakemake" in globals():
    main(globals()["snakemake"])
