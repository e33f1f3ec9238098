"""Rule positive_rationales: why each training purchase was made (Phase I)."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write one positive rationale per sampled training example."""
    with stage(job):
        from pulse_core.artifacts import write_table
        from pulse_core.rationales.prompts import PromptTemplate
        from pulse_core.rationales.settings import RationaleSettings
        from pulse_core.rationales.write import positive_requests, write_rationales
        from workflow_scripts.shared.inputs import shop_of
        from workflow_scripts.shared.rationale_io import make_writer, read_shard

        examples = read_shard(job, "train")
        requests = positive_requests(
            examples,
            shop_of(job),
            PromptTemplate(Path(job.input.template)),
            RationaleSettings.model_validate(job.params.settings),
            job.params.seed,
        )
        write_table(job.output[0], write_rationales(examples, requests, make_writer(job), "positive rationales"))


if "snakemake" in globals():
    main(globals()["snakemake"])
