"""Rule baseline_llm_zero_shot: the untuned language model scores candidates by likelihood, without rationales."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the untuned model's predictions."""
    with stage(job):
        from pulse_core.baselines.llm_zero_shot import zero_shot_ranker
        from workflow_scripts.shared.ranker_io import predict, read_split
        from workflow_scripts.shared.untuned import write_untuned

        ranker = zero_shot_ranker(Path(job.input.slm).parent, job.params.ranker)
        splits = [read_split(job, name, ranker.settings, None) for name in ("validation", "test")]
        write_untuned(job, predict(ranker, splits))


if "snakemake" in globals():
    main(globals()["snakemake"])
