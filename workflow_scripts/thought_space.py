"""Rule thought_space: E1 and E2, aligned on positive rationales and behaviour texts (Phase I)."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.launch import do, work_here
from workflow_scripts.job.stage import stage


def work(job: Any) -> None:
    """Train on one domain, or on several that share a space; each input is a list with one file per domain."""
    from pulse_core import processes
    from pulse_core.checkpoints import Checkpoint
    from pulse_core.thought_space.settings import ThoughtSpaceSettings
    from pulse_core.thought_space.training import train_thought_space
    from workflow_scripts.shared.thought_space_io import read_training_examples

    model = Path(job.input.model).parent
    checkpoint = Checkpoint(Path(job.params.work), job.params.code, model)
    trained = train_thought_space(
        read_training_examples(job),
        ThoughtSpaceSettings.model_validate(job.params.settings),
        job.params.seed,
        model,
        checkpoint,
    )
    if processes.rank() == 0:
        trained.save(Path(job.output.training).parent)
        checkpoint.remove()


def main(job: Any) -> None:
    """Train in as many processes as the settings say."""
    with stage(job):
        do(job, work, "workflow_scripts.thought_space")


if "snakemake" in globals():
    main(globals()["snakemake"])
elif __name__ == "__main__":
    work_here(work)
