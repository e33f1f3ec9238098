"""Rule baseline_a_llmrec: collaborative embeddings as soft tokens in the frozen SLM's prompt."""

from pathlib import Path
from typing import Any

from workflow_scripts.job.stage import stage


def work(job: Any) -> None:
    """Tune the system, with rationales in its prompts if the job has any, and rank the candidates."""
    import pandas as pd

    from pulse_core.baselines.a_llmrec.stages import Inputs, Shared
    from pulse_core.baselines.a_llmrec.system import ALLMRec
    from pulse_core.baselines.settings.a_llmrec import ALLMRecSettings
    from pulse_core.keys import keys
    from workflow_scripts.shared.baseline_io import run_tuned, seed_of
    from workflow_scripts.shared.domains import domain_of

    domain = domain_of(job, sampled=True)
    items = pd.read_parquet(job.input.catalogue).sort_values("item")
    texts = [
        ", ".join(filter(None, parts)) for parts in zip(items["title"], items["description"].fillna(""), strict=True)
    ]
    rationales = None
    if file := job.input.get("rationales"):
        selected = pd.read_parquet(file)
        rationales = dict(zip(keys(selected), selected["rationale"], strict=True))
    slm, encoder = Path(job.input.slm).parent, Path(job.input.encoder).parent
    inputs = Inputs(
        domain_of(job), domain, items["title"].tolist(), texts, encoder, slm, rationales, **job.params.thought_space
    )
    shared = Shared(inputs, seed_of(job))
    settings = ALLMRecSettings.model_validate(job.params.settings)
    run_tuned(job, domain, lambda trial: ALLMRec(shared, trial), settings, slm)


def main(job: Any) -> None:
    """The job of either system."""
    with stage(job):
        work(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
