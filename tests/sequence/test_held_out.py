"""SASRec learns nothing of held-out purchases: had they been others, its model would be the same to the last byte."""

from pathlib import Path

import pandas as pd

from pulse_core.data.examples import make_examples
from pulse_core.data.settings import SplitSettings
from pulse_core.sequence.sasrec_stage import run_sasrec
from pulse_core.sequence.settings import SASRecSettings
from tests.planted_cycle import ITEMS


def had_they_bought(other_targets_of: list[str], interactions: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """The interactions with another item, new to its user, in place of every target of these splits."""
    targets = examples.loc[examples["split"].isin(other_targets_of), ["user", "position"]]
    places = pd.MultiIndex.from_frame(targets)
    own = pd.MultiIndex.from_arrays([interactions["user"], interactions.groupby("user").cumcount()])
    items = interactions["item"].where(~own.isin(places), (interactions["item"] + 17) % (ITEMS - 1))
    return interactions.assign(item=items.astype("int32"))


def trained(
    interactions: pd.DataFrame, user_ids: list[str], settings: SASRecSettings, out: Path
) -> tuple[bytes, pd.DataFrame]:
    """The model file's bytes and the states, by (user, split, position) and as plain lists."""
    out.mkdir()
    examples = make_examples(interactions, SplitSettings(), 3, user_ids)
    run_sasrec(interactions, examples, user_ids, ITEMS, settings, 9, out)
    states = pd.read_parquet(out / "states.parquet").set_index(["user", "split", "position"])
    return (out / "model.safetensors").read_bytes(), states.assign(state=states["state"].map(list))


def test_other_test_targets_change_neither_model_nor_states(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings, tmp_path: Path
) -> None:
    changed = had_they_bought(["test"], interactions, examples)
    assert (changed["item"] != interactions["item"]).sum() == (examples["split"] == "test").sum()
    settings = small.model_copy(update={"epochs": 4, "evaluate_every": 2})  # early stopping may choose
    model, states = trained(interactions, user_ids, settings, tmp_path / "as_it_is")
    other_model, other_states = trained(changed, user_ids, settings, tmp_path / "changed")
    assert other_model == model
    pd.testing.assert_frame_equal(other_states, states)


def test_other_validation_targets_change_only_what_is_read_after_them(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings, tmp_path: Path
) -> None:
    """Early stopping may look at them; training may not, and only histories of test examples hold them."""
    changed = had_they_bought(["validation", "test"], interactions, examples)
    settings = small.model_copy(update={"epochs": 3, "evaluate_every": 3})  # one look, with nothing to choose from
    model, states = trained(interactions, user_ids, settings, tmp_path / "as_it_is")
    other_model, other_states = trained(changed, user_ids, settings, tmp_path / "changed")
    assert other_model == model
    same = states["state"] == other_states["state"]
    assert same[same.index.get_level_values("split") != "test"].all()
    assert not same[same.index.get_level_values("split") == "test"].any()
