"""Rule baseline_pulse: PULSE, tuned with as many trials as every other system."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Tune the ranker and write its best trial."""
    with stage(job):
        from workflow_scripts.shared.ranker_tuning import run_ranker_trials

        run_ranker_trials(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
