"""Rule hr1: every system's predictions to hr1.json."""

from pathlib import Path
from typing import Any

from workflow_scripts.stage import REPOSITORY, stage


def main(job: Any) -> None:
    """Measure all systems on the same users and write the figures with all they depend on."""
    with stage(job):
        import pandas as pd

        from pulse_core.artifacts import read_json, write_json
        from pulse_core.evaluation.hr1 import Context, assemble
        from pulse_core.evaluation.leak_audit import leak_audit
        from pulse_core.evaluation.provenance import stage_seconds, versions
        from pulse_core.evaluation.settings import EvaluationSettings
        from pulse_core.evaluation.why_recall import why_recall

        read, protocol, seed = pd.read_parquet, job.params.protocol, job.params.seed
        settings = EvaluationSettings.model_validate(job.params.settings)
        examples, candidates = read(job.input.examples), read(job.input.candidates)
        selected = read(job.input.selected)
        files = {job.params.systems.get(name, name): file for name, file in _named(job.input.predictions).items()}
        measured = None
        if "truth" in job.input.keys():  # noqa: SIM118 - Snakemake's input is a list with names
            measured = why_recall(
                selected,
                read(job.input.tree),
                examples,
                read(job.input.truth),
                read_json(job.input.drivers),
                read(job.input.users),
                read(job.input.catalogue),
                settings,
                seed,
            )
        context = Context(
            domain=job.wildcards.domain,
            statistics=read_json(job.input.statistics),
            split=protocol["split"],
            candidate_strategy=protocol["candidates"],
            behaviour=protocol["behaviour"],
            models=protocol["models"],
            seeds={"run": seed},
            versions=versions(REPOSITORY),
            stages=stage_seconds(_benchmarks(job.params.benchmarks)),
            files=files,
        )
        result = assemble(
            {name: read(file) for name, file in files.items()},
            examples,
            candidates,
            context,
            settings,
            seed,
            why_recall=measured,
            leak_audit=leak_audit(
                selected,
                read(job.input.oracle),
                settings,
                seed,
                history_predictions=read(files["pulse"]),
                oracle_predictions=read(job.input.oracle_predictions),
                examples=examples,
                candidates=candidates,
            ),
            neighbour_leak=read_json(job.input.leak),
        )
        write_json(job.output[0], result)


def _named(predictions: list[str]) -> dict[str, str]:
    """Directory name -> predictions file."""
    return {Path(file).parent.name: file for file in predictions}


def _benchmarks(directories: list[str]) -> dict[str, str]:
    """Job name -> its benchmark file."""
    return {file.stem: str(file) for directory in directories for file in sorted(Path(directory).glob("*.tsv"))}


if "snakemake" in globals():
    main(globals()["snakemake"])
