"""Baselines get no held-out target in a training sequence, whatever the split."""

import numpy as np
import pandas as pd
import pytest

from pulse_core.baselines.domain import make_domain
from pulse_core.data.examples import make_examples
from pulse_core.data.settings import SplitSettings
from pulse_core.errors import InputError
from pulse_core.keys import KEY


def interactions() -> pd.DataFrame:
    """Every item is bought once, so an item number identifies a leak."""
    generator = np.random.default_rng(4)
    users = np.repeat(np.arange(30), generator.integers(4, 9, size=30))
    frame = pd.DataFrame({"user": users, "item": np.arange(len(users))}).astype("int32")
    times = generator.permutation(len(users))
    frame["timestamp"] = frame.assign(time=times).groupby("user")["time"].transform(sorted)
    return frame.assign(rating=np.float32(5), row=np.arange(len(users)))


def with_candidates(examples: pd.DataFrame) -> pd.DataFrame:
    return examples[KEY].assign(candidates=[np.array([target, 0]) for target in examples["target"]])


@pytest.mark.parametrize(
    "split",
    [
        SplitSettings(),
        SplitSettings(examples_per_user=3),
        SplitSettings(kind="global_time", validation_quantile=0.6, test_quantile=0.8),
    ],
    ids=["leave one out", "three examples per user", "global time"],
)
def test_training_sequences_end_before_held_out_targets(split: SplitSettings) -> None:
    table = interactions()
    examples = make_examples(table, split, 1, [f"u{user}" for user in range(30)])
    domain = make_domain(table, examples, with_candidates(examples), len(table))
    learned = set(np.concatenate(domain.sequences).tolist())
    for part in (domain.validation, domain.test):
        assert len(part) and not learned & set(part.targets.tolist())
        assert part.split == part.keys[0][1]
    buyer = table.set_index("item")["user"]
    last = {int(buyer[sequence[-1]]): int(sequence[-1]) for sequence in domain.sequences}
    latest = pd.DataFrame(domain.train.keys, columns=KEY).assign(target=domain.train.targets).sort_values("position")
    assert latest.groupby("user")["target"].last().to_dict() == last  # each ends at its user's latest training target


def test_an_example_without_candidates_is_refused() -> None:
    table = interactions()
    examples = make_examples(table, SplitSettings(), 1, [f"u{user}" for user in range(30)])
    with pytest.raises(InputError, match=r"candidates: none for .*\(3, 'test'"):
        drawn = with_candidates(examples)
        make_domain(table, examples, drawn[(drawn["user"] != 3) | (drawn["split"] != "test")], len(table))
