"""Rule tree: refine every base rationale (Phase II)."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Grow one tree per base rationale."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.rationales.prompts import PromptTemplate
        from pulse_core.rationales.settings import RationaleSettings
        from pulse_core.tree.grow import grow_trees
        from pulse_core.tree.settings import TreeSettings
        from workflow_scripts.shared.inputs import shop_of
        from workflow_scripts.shared.rationale_io import make_writer, read_neighbour_items, read_shard

        table = grow_trees(
            read_shard(job).drop(columns="target"),
            pd.read_parquet(job.input.base),
            read_neighbour_items(job),
            shop_of(job),
            PromptTemplate(Path(job.input.template)),
            TreeSettings.model_validate(job.params.settings),
            RationaleSettings.model_validate(job.params.rationales),
            job.params.seed,
            make_writer(job),
        )
        write_table(job.output[0], table)


if "snakemake" in globals():
    main(globals()["snakemake"])
