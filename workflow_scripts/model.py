"""Rule model: a directory of safetensors and tokenizer files from a package, directory or hub id."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Prepare the model once for every stage that loads it."""
    with stage(job):
        from pulse_core.errors import InputError
        from pulse_core.models import ModelSettings, prepare_model

        settings = ModelSettings.model_validate(job.params.settings)
        try:
            prepare_model(settings, job.params.kind, Path(job.output[0]).parent)
        except InputError as error:
            if not settings.hub:
                raise
            raise InputError(
                f"{error}\nIf jobs have no network, run `snakemake --cores 2 models` on a machine with one, with the "
                "same --configfile, --config and --directory"
            ) from None


if "snakemake" in globals():
    main(globals()["snakemake"])
