"""Rule base_rationales: Phase II, what each user looks for next, from history and neighbours only."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write one base rationale for every sampled example of every split."""
    with stage(job):
        from pulse_core.artifacts import write_table
        from pulse_core.rationales.prompts import PromptTemplate
        from pulse_core.rationales.settings import RationaleSettings
        from pulse_core.rationales.write import base_requests, write_rationales
        from workflow_scripts.shared.inputs import shop_of
        from workflow_scripts.shared.rationale_io import make_writer, read_neighbour_items, read_shard

        examples = read_shard(job).drop(columns="target")
        requests = base_requests(
            examples,
            read_neighbour_items(job),
            shop_of(job),
            PromptTemplate(Path(job.input.template)),
            RationaleSettings.model_validate(job.params.settings),
            job.params.seed,
        )
        write_table(job.output[0], write_rationales(examples, requests, make_writer(job), "base rationales"))


if "snakemake" in globals():
    main(globals()["snakemake"])
