"""Rule examples: training, validation and test examples from the corpus."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write every user's examples, marking those sampled for the language-model stages."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.data.examples import examples_table
        from pulse_core.data.settings import SplitSettings

        users = pd.read_parquet(job.input.users).sort_values("user")
        examples = examples_table(
            pd.read_parquet(job.input.interactions),
            SplitSettings.model_validate(job.params.settings),
            job.params.seed,
            users["user_id"].tolist(),
        )
        write_table(job.output[0], examples)


if "snakemake" in globals():
    main(globals()["snakemake"])
