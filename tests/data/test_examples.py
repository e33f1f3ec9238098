import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pulse_core.data.examples import (
    EXAMPLE_SCHEMA,
    examples_table,
    make_examples,
    sequences_by_user,
    training_sequences,
)
from pulse_core.data.settings import SampleUsers, SplitSettings
from pulse_core.errors import InputError


def corpus(sequences, times=None):
    """Interactions of one item sequence per user, at the given times or one per second."""
    rows = [
        (user, item, (times[user][n] if times else 100 * user + n))
        for user, items in enumerate(sequences)
        for n, item in enumerate(items)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": "int32", "item": "int32"})


def random_corpus(seed, users=40):
    """Users of 1 to 20 distinct items at shared, often tied times."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 21, users)
    sequences = [rng.permutation(60)[:n].tolist() for n in lengths]
    return corpus(sequences, [sorted(rng.integers(0, 50, n).tolist()) for n in lengths])


def ids(interactions):
    return [f"U{n:03d}" for n in range(int(interactions["user"].max()) + 1)]


def make(interactions, seed=1, **settings):
    return make_examples(interactions, SplitSettings(**settings), seed, ids(interactions))


def as_rows(examples):
    return [(e.user, e.split, e.position, list(e.history), e.target) for e in examples.itertuples()]


def test_leave_one_out_by_hand():
    examples = make(corpus([[5, 6, 7, 8, 9], [1, 2, 3], [4]]))
    assert as_rows(examples) == [
        (0, "train", 2, [5, 6], 7),
        (0, "validation", 3, [5, 6, 7], 8),
        (0, "test", 4, [5, 6, 7, 8], 9),
        (1, "validation", 1, [1], 2),  # its training target would have no history
        (1, "test", 2, [1, 2], 3),
    ]


def test_earlier_prefixes_become_training_examples():
    rows = [row for row in as_rows(make(corpus([list(range(10, 16))]), examples_per_user=9)) if row[1] == "train"]
    assert rows == [(0, "train", 1, [10], 11), (0, "train", 2, [10, 11], 12), (0, "train", 3, [10, 11, 12], 13)]


def test_history_keeps_the_latest_items():
    examples = make(corpus([list(range(100))]), max_history=50)
    assert [len(h) for h in examples["history"]] == [50, 50, 50]
    assert list(examples["history"].iloc[-1]) == list(range(49, 99))


def test_global_time_by_hand():
    # The split dates are 16 and 18, quantiles 0.8 and 0.9 of the times 0 to 19.
    sequences = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11], [12, 13, 14, 15, 16, 17], [18, 19, 20]]
    times = [[0, 1, 2, 16], [3, 4, 17, 18], [5, 19, 19], [6, 7, 8, 9, 10, 11], [12, 13, 14]]
    examples = make(corpus(sequences, times), kind="global_time", validation_quantile=0.8, test_quantile=0.9)
    assert as_rows(examples) == [
        (0, "train", 2, [1, 2], 3),
        (0, "validation", 3, [1, 2, 3], 4),
        (1, "train", 1, [5], 6),
        (1, "validation", 2, [5, 6], 7),
        (1, "test", 3, [5, 6, 7], 8),
        (2, "test", 1, [9], 10),  # the first item on or after the date, although the next has the same time
        (3, "train", 5, [12, 13, 14, 15, 16], 17),
        (4, "train", 2, [18, 19], 20),
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["leave_one_out", "global_time"])
def test_no_example_sees_the_future(kind, seed):
    interactions = random_corpus(seed)
    examples = make(interactions, kind=kind, examples_per_user=3, max_history=7)
    sequences = sequences_by_user(interactions)
    times = {user: group.tolist() for user, group in interactions.groupby("user")["timestamp"]}
    assert not examples.duplicated(["user", "split", "position"]).any()
    for e in examples.itertuples():
        assert e.target == sequences[e.user][e.position]
        assert list(e.history) == sequences[e.user][max(0, e.position - 7) : e.position].tolist() != []
        assert e.target not in e.history
    if kind == "global_time":
        dates = np.quantile(interactions["timestamp"], [0.8, 0.9], method="lower")
        for e in examples.itertuples():
            split = ["train", "validation", "test"][int(np.searchsorted(dates, times[e.user][e.position], "right"))]
            assert split == e.split
            held_out = e.split != "train"
            assert not held_out or times[e.user][e.position - 1] < dates[["validation", "test"].index(e.split)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["leave_one_out", "global_time"])
def test_training_sequences_hold_no_held_out_target(kind, seed):
    interactions = random_corpus(seed)
    examples = make(interactions, kind=kind)
    seen = training_sequences(interactions, examples)
    pairs = set(zip(seen["user"], seen["item"], strict=True))
    held_out = examples[examples["split"] != "train"]
    assert not pairs & set(zip(held_out["user"], held_out["target"], strict=True))
    train = examples[examples["split"] == "train"]
    assert pairs >= set(zip(train["user"], train["target"], strict=True))
    last = seen.groupby("user")["position"].max()
    assert last.to_dict() == train.set_index("user")["position"].to_dict()
    if kind == "global_time":
        assert seen["timestamp"].max() < np.quantile(interactions["timestamp"], 0.8, method="lower")


def test_training_sequences_do_not_depend_on_examples_per_user():
    interactions = random_corpus(1)
    one, many = (training_sequences(interactions, make(interactions, examples_per_user=n)) for n in (1, 4))
    pd.testing.assert_frame_equal(one, many)


def sampled_users(examples, split):
    return set(examples[(examples["split"] == split) & examples["sampled"]]["user"])


def test_samples_are_nested_and_shared():
    interactions = corpus([list(range(6))] * 50)
    small = make(interactions, sample_users=SampleUsers(train=20, validation=5, test=10))
    large = make(interactions, sample_users=SampleUsers(train=30, validation=5, test=40))
    assert [len(sampled_users(small, s)) for s in ("train", "validation", "test")] == [20, 5, 10]
    assert sampled_users(small, "validation") < sampled_users(small, "test") < sampled_users(small, "train")
    assert sampled_users(small, "test") < sampled_users(large, "test")
    assert sampled_users(small, "train") < sampled_users(large, "train")
    other_seed = make(interactions, seed=2, sample_users=SampleUsers(test=10))
    assert sampled_users(other_seed, "test") != sampled_users(small, "test")
    assert other_seed[other_seed["split"] == "train"]["sampled"].all()


def test_sampling_a_user_does_not_depend_on_other_users():
    interactions, names = corpus([list(range(6))] * 30), [f"U{n}" for n in range(30)]
    settings = SplitSettings(sample_users=SampleUsers(train=10, validation=10, test=10))
    whole = make_examples(interactions, settings, 1, names)
    chosen = sampled_users(whole, "test")
    fewer = interactions[interactions["user"].isin(sorted(chosen) + [n for n in range(30) if n not in chosen][:5])]
    kept = sorted(fewer["user"].unique())
    recoded = fewer.assign(user=np.searchsorted(kept, fewer["user"]).astype(np.int32))
    part = make_examples(recoded, settings, 1, [names[n] for n in kept])
    assert {kept[n] for n in sampled_users(part, "test")} == chosen


def test_a_sample_larger_than_the_corpus_takes_all():
    assert make(corpus([list(range(6))] * 3), sample_users=SampleUsers(train=99, validation=3, test=4))["sampled"].all()


def test_the_table_keeps_its_schema(tmp_path):
    interactions = random_corpus(0)
    table = examples_table(interactions, SplitSettings(max_history=3), 1, ids(interactions))
    pq.write_table(table, tmp_path / "examples.parquet")
    table = pq.read_table(tmp_path / "examples.parquet")
    assert table.schema.equals(EXAMPLE_SCHEMA)
    examples = make(interactions, max_history=3)
    assert as_rows(table.to_pandas()) == as_rows(examples)
    sequences = sequences_by_user(interactions)  # reference: one slice per example
    for example in examples.itertuples():
        history = sequences[example.user][max(0, example.position - 3) : example.position]
        assert example.history.dtype == np.int32 and example.history.tolist() == history.tolist()


def test_a_corpus_that_cannot_be_split_is_refused():
    interactions = random_corpus(0)
    with pytest.raises(InputError, match=r"split\.kind = global_time needs a time"):
        make(interactions.assign(timestamp=None), kind="global_time")
    with pytest.raises(InputError, match=r"leaves no train example.*corpus\.k_core"):
        make(corpus([[1, 2, 3], [3, 4, 5]]))
    with pytest.raises(InputError, match=r"global_time leaves no train example.*split\.test_quantile"):
        make(corpus([[1, 2, 3]] * 3, [[0, 0, 0]] * 3), kind="global_time")
    with pytest.raises(ValueError, match=r"split\.validation_quantile \(0\.9\) must lie below"):
        SplitSettings(kind="global_time", validation_quantile=0.9, test_quantile=0.9)


def test_null_means_all_users():
    """For the section and for each of its keys."""
    all_users = SplitSettings.model_validate({"sample_users": None})
    assert all_users == SplitSettings() and all_users.sample_users == SampleUsers()
    interactions = corpus([list(range(6))] * 30)
    assert make_examples(interactions, all_users, 1, ids(interactions))["sampled"].all()
    some = make(interactions, sample_users=SampleUsers(train=None, test=3))
    assert [len(sampled_users(some, split)) for split in ("train", "validation", "test")] == [30, 30, 3]
    schema = SplitSettings.model_json_schema()["properties"]["sample_users"]
    assert {"type": "null"} in schema["anyOf"], "editors must accept null as well"
