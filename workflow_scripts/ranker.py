"""Rule ranker: train f_phi with one variant's rationales and score the held-out examples."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.launch import do, work_here
from workflow_scripts.job.stage import stage


def work(job: Any) -> None:
    """Write the adapter, the predictions and the training record of one variant."""
    from pulse_core import processes
    from pulse_core.artifacts import whole_directory, write_json, write_table
    from pulse_core.checkpoints import Checkpoint
    from pulse_core.ranking.model import Ranker
    from pulse_core.ranking.settings import RankerSettings
    from pulse_core.ranking.training import save_ranker, train
    from workflow_scripts.shared.ranker_io import predict, read_split

    settings = RankerSettings.model_validate(job.params.settings)
    rationales = job.input.get("rationales")
    splits = {name: read_split(job, name, settings, rationales) for name in ("train", "validation", "test")}
    model = Path(job.input.model).parent
    checkpoint = Checkpoint(Path(job.params.work), job.params.code, model)
    ranker = Ranker(model, settings, job.params.seed)
    record = train(ranker, splits["train"].question_set, splits["validation"].question_set, job.params.seed, checkpoint)
    predictions = predict(ranker, [splits["validation"], splits["test"]])
    if processes.rank() == 0:
        with whole_directory(Path(job.output.adapter).parent) as partial:
            save_ranker(ranker, partial)
        write_table(job.output.predictions, predictions)
        write_json(job.output.training, {**record, "settings": settings.model_dump()})
        checkpoint.remove()


def main(job: Any) -> None:
    """Train in as many processes as the settings say."""
    with stage(job):
        do(job, work, "workflow_scripts.ranker")


if "snakemake" in globals():
    main(globals()["snakemake"])
elif __name__ == "__main__":
    work_here(work)
