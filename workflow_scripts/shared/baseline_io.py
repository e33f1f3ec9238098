"""What the scripts of the baselines share: tables to a domain, trials, and what is written of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from pulse_core.baselines.domain import Domain, make_domain
from pulse_core.baselines.settings.tuned import TunedSettings
from pulse_core.baselines.system import Recommender
from pulse_core.baselines.tuning import tune, write_tuned
from pulse_core.errors import InputError
from pulse_core.seeding import derive_seed


def seed_of(job: Any) -> int:
    """The seed that every trial starts from; systems of one section have the same, so that no chance divides them."""
    return derive_seed(job.params.seed, "baseline", job.params.section)


def domain_of(job: Any, *, sampled: bool = False) -> Domain:
    """The job's domain; with `sampled` only the examples that the language-model stages work on."""
    return make_domain(
        pd.read_parquet(job.input.interactions),
        pd.read_parquet(job.input.examples),
        pd.read_parquet(job.input.candidates),
        len(pd.read_parquet(job.input.catalogue, columns=["item"])),
        sampled,
    )


def titles_of(job: Any) -> list[str]:
    """Titles of all items, by code."""
    return pd.read_parquet(job.input.catalogue, columns=["item", "title"]).sort_values("item")["title"].tolist()


def run_tuned(
    job: Any,
    domain: Domain,
    make: Callable[[Any], Recommender],
    settings: TunedSettings,
    model: Path | None = None,
    seed: int | None = None,
) -> None:
    """Make the trials and write the best: what a killed run finished of them is not done again.

    `seed` is told in metrics.json where it is not `seed_of(job)`.
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
