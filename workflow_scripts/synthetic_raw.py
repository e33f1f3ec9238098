"""Rule synthetic_raw: raw reviews and metadata of one synthetic domain."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the domain's raw files and the planted truth."""
    with stage(job):
        from pulse_core.data.synthetic.writer import generate_domain
        from pulse_core.data.synthetic_settings import SyntheticSettings

        settings = SyntheticSettings.model_validate(job.params.settings)
        generate_domain(settings, job.wildcards.domain, job.params.seed, Path(job.output.reviews).parent)


if "snakemake" in globals():
    main(globals()["snakemake"])
