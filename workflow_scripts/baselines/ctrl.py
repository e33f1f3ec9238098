"""Rule baseline_ctrl: CTRL, tuned."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Align the towers on the training sequences, fine-tune the collaborative one and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.ctrl import CTRL
        from pulse_core.baselines.settings.ctrl import CTRLSettings
        from workflow_scripts.shared.baseline_io import run_tuned, seed_of
        from workflow_scripts.shared.domains import domain_of, titles_of

        domain, titles, seed = domain_of(job), titles_of(job), seed_of(job)
        encoder, reading = Path(job.input.encoder).parent, job.params.thought_space
        settings = CTRLSettings.model_validate(job.params.settings)
        run_tuned(job, domain, lambda trial: CTRL(domain, titles, trial, seed, encoder, **reading), settings, encoder)


if "snakemake" in globals():
    main(globals()["snakemake"])
