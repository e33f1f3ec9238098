"""Rule baseline_morec: MoRec, tuned."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Tune encoder and user tower on the training sequences and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.morec import MoRec
        from pulse_core.baselines.settings.morec import MoRecSettings
        from workflow_scripts.shared.baseline_io import run_tuned, seed_of
        from workflow_scripts.shared.domains import domain_of, titles_of

        domain, titles, seed = domain_of(job), titles_of(job), seed_of(job)
        encoder, reading = Path(job.input.encoder).parent, job.params.thought_space
        settings = MoRecSettings.model_validate(job.params.settings)
        run_tuned(job, domain, lambda trial: MoRec(domain, titles, trial, seed, encoder, **reading), settings, encoder)


if "snakemake" in globals():
    main(globals()["snakemake"])
