"""Rule baseline_item_knn: item-based nearest neighbours."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Count, and rank the candidates."""
    with stage(job):
        from pulse_core.baselines.item_knn import ItemKNN
        from pulse_core.baselines.settings.item_knn import ItemKNNSettings
        from workflow_scripts.shared.baseline_io import run_tuned
        from workflow_scripts.shared.domains import domain_of

        domain = domain_of(job)
        settings = ItemKNNSettings.model_validate(job.params.settings)
        run_tuned(job, domain, lambda trial: ItemKNN(domain, trial), settings)


if "snakemake" in globals():
    main(globals()["snakemake"])
