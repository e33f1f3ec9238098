"""Rule untrained_slm: the language model as it comes, candidates scored by likelihood, without rationales."""

from pathlib import Path
from typing import Any

from workflow_scripts.stage import stage


def main(job: Any) -> None:
    """Write the untrained model's predictions."""
    with stage(job):
        from pulse_core.artifacts import write_table
        from pulse_core.ranking.model import Ranker
        from pulse_core.ranking.settings import RankerSettings
        from workflow_scripts.questions import ask, predict

        settings = RankerSettings.model_validate({**job.params.settings, "head": "likelihood"})
        ranker = Ranker(Path(job.input.model).parent, settings, seed=0, adapt=False)
        splits = [ask(job, name, settings, None) for name in ("validation", "test")]
        write_table(job.output.predictions, predict(ranker, splits))


if "snakemake" in globals():
    main(globals()["snakemake"])
