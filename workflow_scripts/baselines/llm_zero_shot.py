"""Rule baseline_llm_zero_shot: the language model as it comes, candidates scored by likelihood, without rationales."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the untrained model's predictions."""
    with stage(job):
        from pulse_core.baselines.llm_zero_shot import zero_shot_ranker
        from workflow_scripts.shared.ranker_io import ask, predict
        from workflow_scripts.shared.untuned import write_untuned

        ranker = zero_shot_ranker(Path(job.input.slm).parent, job.params.ranker)
        splits = [ask(job, name, ranker.settings, None) for name in ("validation", "test")]
        write_untuned(job, predict(ranker, splits))


if "snakemake" in globals():
    main(globals()["snakemake"])
