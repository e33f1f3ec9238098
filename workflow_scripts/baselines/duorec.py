"""Rule baseline_duorec: DuoRec, tuned."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Tune the model on the training sequences and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.duorec import DuoRec
        from pulse_core.baselines.settings.duorec import DuoRecSettings
        from workflow_scripts.shared.baseline_io import run_tuned, seed_of
        from workflow_scripts.shared.domains import domain_of

        domain, seed = domain_of(job), seed_of(job)
        settings = DuoRecSettings.model_validate(job.params.settings)
        run_tuned(job, domain, lambda trial: DuoRec(domain, trial, seed), settings)


if "snakemake" in globals():
    main(globals()["snakemake"])
