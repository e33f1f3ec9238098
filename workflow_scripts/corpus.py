"""Rule corpus: clean tables of one domain from raw reviews and metadata."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write interactions, users, items, reviews and statistics."""
    with stage(job):
        from pulse_core.data.corpus import build_corpus
        from pulse_core.data.settings import CorpusSettings

        metadata = job.input.get("metadata")
        build_corpus(
            reviews=Path(job.input.reviews),
            metadata=Path(metadata) if metadata else None,
            settings=CorpusSettings.model_validate(job.params.settings),
            out=Path(job.output.statistics).parent,
            source=job.params.source,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
