"""Rule baseline_ec4srec: EC4SRec, tuned."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Tune the model on the training sequences and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.ec4srec.system import EC4SRec
        from pulse_core.baselines.settings.ec4srec import EC4SRecSettings
        from workflow_scripts.shared.baseline_io import run_tuned, seed_of
        from workflow_scripts.shared.domains import domain_of

        domain, seed = domain_of(job), seed_of(job)
        settings = EC4SRecSettings.model_validate(job.params.settings)
        run_tuned(job, domain, lambda trial: EC4SRec(domain, trial, seed), settings)


if "snakemake" in globals():
    main(globals()["snakemake"])
