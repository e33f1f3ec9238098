"""Reading inputs that several scripts share."""

from typing import Any

import pandas as pd

from pulse_core.keys import KEY
from pulse_core.texts import Shop, load_shop


def read_shop(catalogue: str, interactions: str, reviews: str) -> Shop:
    """The texts of one domain."""
    return load_shop(pd.read_parquet(catalogue), pd.read_parquet(interactions), pd.read_parquet(reviews))


def shop_of(job: Any) -> Shop:
    """The texts of the job's domain."""
    return read_shop(job.input.catalogue, job.input.interactions, job.input.reviews)


def read_sampled(file: str, *splits: str) -> pd.DataFrame:
    """The sampled examples, which the language-model stages use; of `splits` only, if any is given."""
    examples = pd.read_parquet(file)
    chosen = examples["sampled"] & (examples["split"].isin(splits) if splits else True)
    return examples[chosen].sort_values(KEY, ignore_index=True)
