"""Shared by the baselines' scripts: running the trials, writing the artifacts."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulse_core.baselines.domain import Domain, Recommender
from pulse_core.baselines.settings.tuned import TunedSettings
from pulse_core.baselines.tuning import tune, write_tuned
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed


def seed_of(job: Any) -> int:
    """Seed of every trial; systems that share a configuration section share it to exclude chance differences."""
    return derive_seed(job.params.seed, "baseline", job.params.section)


def run_tuned(
    job: Any,
    domain: Domain,
    make: Callable[[Any], Recommender],
    settings: TunedSettings,
    model: Path | None = None,
    seed: int | None = None,
) -> None:
    """Run the trials and write the best; trials finished by a killed run are not repeated.

    `seed` overrides `seed_of(job)` in metrics.json.
    """
    work = Path(job.params.work)
    try:
        tuned = tune(make, settings, len(settings.search), domain.validation, work, job.params.code, model)
    except InputError as error:
        raise InputError(f"baselines.{job.params.section}: {error}") from error
    write_tuned(
        job.params.system, tuned, domain, seed_of(job) if seed is None else seed, Path(job.output.predictions).parent
    )
    shutil.rmtree(work, ignore_errors=True)
