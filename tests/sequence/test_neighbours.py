"""Neighbours: from training data only, cross-fitted, never the example's user."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pulse_core.artifacts import read_json
from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.sequence.cross_fit import fold_of_users, load_models
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.neighbour_stage import run_neighbours
from pulse_core.sequence.neighbours import _bought_around, _shares, build_pool, find_neighbours, unit
from pulse_core.sequence.sasrec_stage import run_sasrec
from pulse_core.sequence.settings import NeighbourSettings, SASRecSettings
from pulse_core.sequence.states import states
from tests.planted_cycle import ITEMS


@pytest.fixture(scope="module")
def folder(
    interactions: pd.DataFrame,
    examples: pd.DataFrame,
    user_ids: list[str],
    small: SASRecSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    out = tmp_path_factory.mktemp("sasrec")
    run_sasrec(interactions, examples, user_ids, ITEMS, small, 9, out)
    return out


@pytest.fixture(scope="module")
def result(
    folder: Path, interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings
) -> tuple[pd.DataFrame, dict]:
    models = load_models(folder / "model.safetensors", small)
    table, leak = run_neighbours(interactions, examples, user_ids, models, small, NeighbourSettings(users=5), 9)
    return table.to_pandas(), leak


def test_states_and_metrics(folder: Path, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings) -> None:
    table = pd.read_parquet(folder / "states.parquet")
    assert table[["user", "split", "position"]].equals(examples[["user", "split", "position"]].reset_index(drop=True))
    folds = fold_of_users(user_ids, 2, 9)
    train = table["split"] == "train"
    assert (table.loc[~train, "fold"] == -1).all()
    assert (table.loc[train, "fold"] == folds[table.loc[train, "user"]]).all()
    metrics = read_json(folder / "metrics.json")
    assert set(metrics["full_ranking"]) == {"train", "train_cross_fit", "validation", "test"}
    assert metrics["best_epoch"] <= metrics["epochs_run"] <= small.epochs


def test_items_are_new_to_the_user_and_sorted(result: tuple[pd.DataFrame, dict], interactions: pd.DataFrame) -> None:
    whole = sequences_by_user(interactions)
    for row in result[0].itertuples():
        assert row.user not in row.neighbours
        assert (np.diff(row.similarities) <= 1e-6).all() and (np.diff(row.item_weights) <= 0).all()
        assert (row.item_weights > 0).all() and len(row.items) == len(row.item_weights)
        assert not set(row.items) & set(whole[row.user][: row.position])


def test_training_examples_meet_only_other_folds(result: tuple[pd.DataFrame, dict], user_ids: list[str]) -> None:
    folds = fold_of_users(user_ids, 2, 9)
    train = result[0][result[0]["split"] == "train"]
    for row in train.itertuples():
        assert (folds[row.neighbours] != row.fold).all()


def test_leak_figures(result: tuple[pd.DataFrame, dict]) -> None:
    figures = result[1]["target_in_items"]
    assert set(figures) == {"train", "train_without_cross_fit", "validation", "test"}
    for shares in figures.values():
        assert 0 <= shares["top1"] <= shares["top10"] <= shares["all"] <= 1


def test_no_validation_or_test_target_reaches_a_neighbour_list(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str], small: SASRecSettings, tmp_path: Path
) -> None:
    """Each held-out target becomes a unique item that no list, pool or fold model may contain."""
    marked = interactions.copy()
    held_out = examples[examples["split"] != "train"]
    starts = marked.groupby("user").head(1).reset_index().set_index("user")["index"]
    rows = starts.loc[held_out["user"]].to_numpy() + held_out["position"].to_numpy()
    marked.loc[rows, "item"] = (ITEMS + np.arange(len(rows))).astype("int32")
    marked_examples = examples.copy()
    sequences = sequences_by_user(marked)
    marked_examples["target"] = [sequences[u][p] for u, p in zip(examples["user"], examples["position"], strict=True)]
    marked_examples["history"] = [sequences[u][:p] for u, p in zip(examples["user"], examples["position"], strict=True)]
    learned = training_sequences(marked, marked_examples)
    assert learned["item"].max() < ITEMS
    settings = small.model_copy(update={"epochs": 2})
    run_sasrec(marked, marked_examples, user_ids, ITEMS + len(rows), settings, 9, tmp_path)
    models = load_models(tmp_path / "model.safetensors", settings)
    table, leak = run_neighbours(marked, marked_examples, user_ids, models, settings, NeighbourSettings(), 9)
    assert max(items.max(initial=0) for items in table.to_pandas()["items"]) < ITEMS
    assert leak["target_in_items"]["test"]["all"] == 0


def test_shares_by_hand() -> None:
    """Two neighbours: next purchases weigh 1, then 0.5, earlier ones 0.2; item 2 is already owned."""
    sequences = [np.array([0, 1, 2]), np.array([0, 3, 1])]
    settings = NeighbourSettings(after_decay=0.5, before_weight=0.2)
    owner, position = np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2])
    bought = _bought_around(sequences, owner, position, settings, 4)
    expected = [[0.2, 1, 0.5, 0], [0.1, 0.2, 1, 0], [0.2, 0.5, 0, 1], [0.1, 1, 0, 0.2]]
    np.testing.assert_allclose(bought.toarray(), expected)
    items, shares = _shares(np.array([0.75, 0.25]), bought[[0, 2]], np.array([2]), np.ones(4), 0.0)
    assert items.tolist() == [0, 1, 3]
    np.testing.assert_allclose(shares, np.array([0.2, 0.875, 0.25]) / 1.325)


def test_the_fast_path_is_the_plain_one(small: SASRecSettings) -> None:
    """Blocks, partition and sparse sums against a loop over every pool user."""
    generator = np.random.default_rng(2)
    sequences = [generator.choice(30, size=int(size), replace=False) for size in generator.integers(2, 12, size=25)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # with some weights, users with the same first items tie for the last place
        model = SASRec(30, small)
    settings = NeighbourSettings(users=4, items=5)
    pool = build_pool(model, sequences, np.arange(25), settings)
    histories = sequences[:6]
    user_states = states(model, histories)
    fast = find_neighbours(user_states, np.arange(6), histories, pool, settings)
    for user in range(6):
        best = {}
        for moment, owner in enumerate(pool.owners):
            cosine = float(unit(user_states)[user] @ pool.states[moment])
            if owner != user and cosine > best.get(owner, (-2.0, 0))[0]:
                best[owner] = (cosine, moment)
        nearest = sorted(best, key=lambda owner: -best[owner][0])[:4]
        assert fast[user].users.tolist() == nearest
        weights = np.exp(np.array([best[owner][0] for owner in nearest]) / settings.temperature)
        summed = sum(
            w * pool.bought[best[o][1]].toarray()[0] for w, o in zip(weights / weights.sum(), nearest, strict=True)
        )
        summed[histories[user]] = 0
        logits = user_states[user] @ pool.item_vectors.T
        item_weights = np.sqrt(summed / summed.sum() * np.exp(logits) / np.exp(logits).sum())
        order = np.argsort(-item_weights, kind="stable")[:5]
        assert fast[user].items.tolist() == order.tolist()
        np.testing.assert_allclose(fast[user].item_weights, item_weights[order], rtol=1e-4)
