"""Shared by the scripts that generate rationales."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pulse_core.generation.engines import make_generator
from pulse_core.generation.journal import Writer
from pulse_core.generation.settings import GenerationSettings
from pulse_core.keys import Key, keys
from workflow_scripts.shared.inputs import read_sampled


def make_writer(job: Any) -> Writer:
    """The configured engine with the prepared model and the stage's journal. The model is loaded on first use, so a
    shard with nothing to write skips it."""
    settings = GenerationSettings.model_validate(job.params.generation)
    generator = make_generator(settings, Path(job.input.model).parent)
    return Writer(generator, Path(job.params.work), settings.chunk_prompts)


def read_neighbour_items(job: Any) -> dict[Key, list[int]]:
    """Similar users' items, most informative first, by (user, split, position)."""
    neighbours = pd.read_parquet(job.input.neighbours)
    return dict(zip(keys(neighbours), (items.tolist() for items in neighbours["items"]), strict=True))


def read_shard(job: Any, *splits: str) -> pd.DataFrame:
    """The sampled examples of the job's shard.

    A shard is every n-th block of `chunk_prompts` examples, so the journal's chunks, and with them the texts, do not
    depend on the number of shards. Shards beyond the number of blocks are empty.
    """
    number, shards = map(int, job.wildcards.scatteritem.split("-of-"))
    examples = read_sampled(job.input.examples, *splits)
    blocks = np.arange(len(examples)) // GenerationSettings.model_validate(job.params.generation).chunk_prompts
    return examples[blocks % shards == number - 1].reset_index(drop=True)
