"""Rule baseline_untrained_slm: the language model as it comes, candidates scored by likelihood, without rationales."""

from pathlib import Path
from typing import Any

from workflow_scripts.stage import stage


def main(job: Any) -> None:
    """Write the untrained model's predictions."""
    with stage(job):
        from pulse_core.ranking.model import Ranker
        from pulse_core.ranking.settings import RankerSettings
        from workflow_scripts.questions import ask, predict
        from workflow_scripts.untuned import write_untuned

        settings = RankerSettings.model_validate({**job.params.ranker, "head": "likelihood"})
        ranker = Ranker(Path(job.input.slm).parent, settings, seed=0, adapt=False)
        write_untuned(job, predict(ranker, [ask(job, name, settings, None) for name in ("validation", "test")]))


if "snakemake" in globals():
    main(globals()["snakemake"])
