"""Rule hr1: every system's predictions to hr1.json."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Measure all systems on the same users and write the figures with all they depend on."""
    with stage(job):
        from workflow_scripts.cli.measuring import measure

        measure(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
