"""Rule download: Amazon's 2018 reviews into raw_dir, for every domain with source amazon-2018."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Fetch or check the raw files of each domain."""
    with stage(job):
        from pulse_core.data.download import download_domain
        from pulse_core.data.settings import DownloadSettings
        from pulse_core.errors import InputError

        if not job.params.domains:
            raise InputError("no domain has `source: amazon-2018`: set it under `domains` to say what to download")
        for domain in job.params.domains:
            download_domain(domain, Path(job.params.raw_dir), DownloadSettings.model_validate(job.params.settings))


if "snakemake" in globals():
    main(globals()["snakemake"])
