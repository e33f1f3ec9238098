"""Rule hr1: hr1.json from every system's predictions."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Evaluate all systems on the same users and write the figures with everything they depend on."""
    with stage(job):
        from workflow_scripts.shared.measuring import measure

        measure(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
