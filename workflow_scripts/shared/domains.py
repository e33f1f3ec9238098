"""Shared by the baselines' scripts: the domain and its titles."""

from typing import Any

import pandas as pd

from pulse_core.baselines.domain import Domain, make_domain


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
