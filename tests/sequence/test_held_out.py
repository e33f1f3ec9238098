"""SASRec learns nothing from held-out purchases: replacing them changes no byte of its model."""

from pathlib import Path

import pandas as pd

from pulse_core.data.examples import make_examples
from pulse_core.data.settings import SplitSettings
from pulse_core.sequence.sasrec_stage import run_sasrec
from pulse_core.sequence.settings import SASRecSettings
from tests.planted_cycle import ITEMS


def with_other_targets(splits: list[str], interactions: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """The interactions, with every target of these splits replaced by an item new to its user."""
    targets = examples.loc[examples["split"].isin(splits), ["user", "position"]]
    target_keys = pd.MultiIndex.from_frame(targets)
    keys = pd.MultiIndex.from_arrays([interactions["user"], interactions.groupby("user").cumcount()])
    items = interactions["item"].where(~keys.isin(target_keys), (interactions["item"] + 17) % (ITEMS - 1))
    return interactions.assign(item=items.astype("int32"))


def trained(
    interactions: pd.DataFrame, user_ids: list[str], settings: SASRecSettings, out: Path
) -> tuple[bytes, pd.DataFrame]:
    """The model file's bytes, and the states as lists by (user, split, position)."""
    out.mkdir()
    examples = make_examples(interactions, SplitSettings(), 3, user_ids)
    run_sasrec(interactions, examples, user_ids, ITEMS, settings, 9, out)
    states = pd.read_parquet(out / "states.parquet").set_index(["user", "split", "position"])
    return (out / "model.safetensors").read_bytes(), states.assign(state=states["state"].map(list))


def test_other_test_targets_change_neither_model_nor_states(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings, tmp_path: Path
) -> None:
    changed = with_other_targets(["test"], interactions, examples)
    assert (changed["item"] != interactions["item"]).sum() == (examples["split"] == "test").sum()
    settings = small.model_copy(update={"epochs": 4, "evaluate_every": 2})  # early stopping has a choice
    model, states = trained(interactions, user_ids, settings, tmp_path / "original")
    other_model, other_states = trained(changed, user_ids, settings, tmp_path / "changed")
    assert other_model == model
    pd.testing.assert_frame_equal(other_states, states)


def test_other_validation_targets_change_only_what_is_read_after_them(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings, tmp_path: Path
) -> None:
    """Early stopping may use them but training may not; only the histories of test examples contain them."""
    changed = with_other_targets(["validation", "test"], interactions, examples)
    settings = small.model_copy(update={"epochs": 3, "evaluate_every": 3})  # one validation: nothing to choose from
    model, states = trained(interactions, user_ids, settings, tmp_path / "original")
    other_model, other_states = trained(changed, user_ids, settings, tmp_path / "changed")
    assert other_model == model
    same = states["state"] == other_states["state"]
    assert same[same.index.get_level_values("split") != "test"].all()
    assert not same[same.index.get_level_values("split") == "test"].any()
