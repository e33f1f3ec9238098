"""Rule baseline_llm_zero_shot: the untuned language model scores candidates by likelihood, without rationales."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the untuned model's predictions."""
    with stage(job):
        from pulse_core.ranking.model import Ranker
        from pulse_core.ranking.settings import RankerSettings
        from workflow_scripts.shared.ranker_io import predict, read_split
        from workflow_scripts.shared.untuned import write_untuned

        # The configured head is replaced: a scalar head would need training. Nothing is drawn with the seed.
        settings = RankerSettings.model_validate({**job.params.ranker, "head": "likelihood"})
        ranker = Ranker(Path(job.input.slm).parent, settings, seed=0, adapt=False)
        splits = [read_split(job, name, settings, None) for name in ("validation", "test")]
        write_untuned(job, predict(ranker, splits))


if "snakemake" in globals():
    main(globals()["snakemake"])
