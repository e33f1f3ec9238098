"""Rule select: the best leaf of each tree by one scorer."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Write the selected rationale of every example with its runners-up."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import write_table
        from pulse_core.rationales.settings import RationaleSettings
        from pulse_core.selection.scorers import make_scorer
        from pulse_core.selection.select import select_rationales, selected_table
        from pulse_core.selection.settings import SelectionSettings
        from pulse_core.texts import behaviour_texts
        from workflow_scripts.shared.inputs import read_sampled, shop_of

        settings = SelectionSettings.model_validate(job.params.settings)
        behaviour = behaviour_texts(
            read_sampled(job.input.examples),
            shop_of(job),
            RationaleSettings.model_validate(job.params.rationales),
            with_target=settings.behaviour == "oracle",
        )
        source = Path(job.params.source) if job.params.source else None
        scorer = make_scorer(job.params.scorer, settings, source)
        selected = select_rationales(pd.read_parquet(job.input.tree), behaviour, scorer)
        write_table(job.output[0], selected_table(selected, settings.behaviour))


if "snakemake" in globals():
    main(globals()["snakemake"])
