"""Rule oracle_predictions: the trained ranker with rationales selected by the oracle (leak audit)."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Score the test examples with the trained ranker; nothing trains on the oracle's selection."""
    with stage(job):
        from pulse_core.artifacts import write_table
        from pulse_core.ranking.settings import RankerSettings
        from pulse_core.ranking.training import load_ranker
        from workflow_scripts.shared.ranker_io import predict, read_split

        settings = RankerSettings.model_validate(job.params.settings)
        ranker = load_ranker(Path(job.input.model).parent, Path(job.input.adapter).parent, settings)
        write_table(job.output[0], predict(ranker, [read_split(job, "test", settings, job.input.rationales)]))


if "snakemake" in globals():
    main(globals()["snakemake"])
