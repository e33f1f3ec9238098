"""Training data of the Thought Space: positive rationales with the behaviour texts of their examples."""

from pathlib import Path
from typing import Any

import pandas as pd

from pulse_core.keys import keys
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.texts import behaviour_texts
from pulse_core.thought_space.examples import TrainingExample
from workflow_scripts.shared.inputs import read_sampled, read_shop


def read_training_examples(job: Any) -> list[TrainingExample]:
    """Every positive rationale of every domain that trains the space, with both behaviour texts."""
    settings = RationaleSettings.model_validate(job.params.rationales)
    training = []
    for row, file in enumerate(job.input.positives):
        shop = read_shop(job.input.catalogue[row], job.input.interactions[row], job.input.reviews[row])
        examples = read_sampled(job.input.examples[row], "train")
        ids = pd.read_parquet(job.input.users[row]).set_index("user")["user_id"].to_dict()
        with_target = behaviour_texts(examples, shop, settings, with_target=True)
        history = behaviour_texts(examples, shop, settings, with_target=False)
        positives = pd.read_parquet(file)
        domain = Path(job.input.examples[row]).parent.name
        training += [
            TrainingExample(ids[key[0]], with_target[key], history[key], rationale, domain)
            for key, rationale in zip(keys(positives), positives["rationale"], strict=True)
        ]
    return training
