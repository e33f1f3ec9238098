"""SASRec: causal, blind to padding, deterministic, learns planted order."""

import numpy as np
import pandas as pd
import pytest
import torch

from pulse_core.data.examples import sequences_by_user, training_sequences
from pulse_core.errors import InputError
from pulse_core.sequence.batches import draw_negatives, pad, training_batches
from pulse_core.sequence.cross_fit import load_models, save_models
from pulse_core.sequence.model import SASRec, binary_loss, softmax_loss
from pulse_core.sequence.settings import BackboneSettings, SASRecSettings
from pulse_core.sequence.states import (
    full_ranks,
    prefix_states,
    ranking_metrics,
    ranks_of_targets,
    score_candidates,
    states,
)
from pulse_core.sequence.training import train


@pytest.fixture(scope="module")
def model() -> SASRec:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return SASRec(30, BackboneSettings(dimension=8, heads=2, max_length=6)).eval()


def test_a_later_item_never_changes_an_earlier_state(model: SASRec) -> None:
    short, changed, longer = (torch.tensor([row]) for row in ([3, 9, 4, 7], [3, 9, 4, 12], [3, 9, 4, 7, 1, 2]))
    with torch.no_grad():
        torch.testing.assert_close(model(short)[:, :3], model(changed)[:, :3])
        torch.testing.assert_close(model(short), model(longer)[:, :4])
        assert not torch.allclose(model(short)[:, 3], model(changed)[:, 3])


def test_states_do_not_depend_on_what_else_is_in_the_batch(model: SASRec) -> None:
    histories = [np.array([1, 2]), np.array([5]), np.arange(20), np.array([4, 8, 2, 9, 0])]
    together = states(model, histories)
    alone = np.concatenate([states(model, [history]) for history in histories])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(together[2], states(model, [np.arange(14, 20)])[0], atol=1e-6)  # only the last 6 count


def test_an_empty_history_has_the_zero_state(model: SASRec) -> None:
    vectors = states(model, [np.array([], dtype=int), np.array([3])])
    assert not vectors[0].any() and vectors[1].any()


def test_prefix_states_are_the_states_of_prefixes(model: SASRec) -> None:
    sequences = [np.array([4, 8, 2]), np.array([7]), np.arange(9)]
    vectors, owner, position = prefix_states(model, sequences)
    assert owner.tolist() == [0] * 3 + [1] + [2] * 6
    assert position.tolist() == [1, 2, 3, 1, *range(4, 10)]
    for row in range(4):
        np.testing.assert_allclose(vectors[row], states(model, [sequences[owner[row]][: position[row]]])[0], atol=1e-6)
    np.testing.assert_allclose(vectors[-1], states(model, [sequences[2]])[0], atol=1e-6)


def test_score_candidates_is_the_inner_product(model: SASRec) -> None:
    histories, candidates = [np.array([1, 2]), np.array([6])], np.array([[0, 29], [5, 5]])
    scores = score_candidates(model, histories, candidates)
    expected = states(model, histories)[0] @ model.items.weight.detach().numpy()[1]
    assert scores.shape == (2, 2) and scores[1, 0] == scores[1, 1]
    assert scores[0, 0] == pytest.approx(expected, abs=1e-5)


def test_batches_contain_every_transition_once() -> None:
    sequences = [np.arange(length) for length in (1, 2, 3, 9, 4, 6)]
    pairs = []
    for parts in training_batches(sequences, 4, 5, np.random.default_rng(0)):
        for inputs, targets in parts:
            assert ((inputs > 0) == (targets > 0)).all()
            real = targets > 0
            pairs += list(zip((inputs[real] - 1).tolist(), (targets[real] - 1).tolist(), strict=True))
    expected = [(a, a + 1) for sequence in sequences for a in sequence[-6:-1].tolist() if len(sequence) > 1]
    assert sorted(pairs) == sorted(expected)


def test_a_negative_is_never_an_item_of_its_user() -> None:
    sequences = [np.array([0, 1, 2, 3, 4, 5, 6]), np.array([7, 8]), np.array([0, 9, 3])]
    seen = set()
    for seed in range(30):
        generator = np.random.default_rng(seed)
        for parts in training_batches(sequences, 3, 10, generator):
            negatives, start = draw_negatives(parts, 10, generator), 0
            for inputs, targets in parts:
                for row, real in zip(torch.cat([inputs[:, :1], targets], dim=1), targets > 0, strict=True):
                    items = {int(item) - 1 for item in row if item > 0}
                    drawn = set(negatives[start : start + int(real.sum())].tolist())
                    assert not drawn & items
                    seen |= drawn
                    start += int(real.sum())
            assert start == len(negatives) == 9
    assert seen == set(range(10))


def test_pad() -> None:
    assert pad([np.array([0, 4]), np.array([], dtype=int), np.array([2])]).tolist() == [[1, 5], [0, 0], [3, 0]]


def test_losses_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    state, target = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    expected = -np.log(np.exp(2) / (np.exp(2) + 2))
    assert softmax_loss(state, vectors, target).item() == pytest.approx(expected, abs=1e-6)
    expected = np.log1p(np.exp(-2)) + np.log(2)
    assert binary_loss(state, vectors, target, torch.tensor([2])).item() == pytest.approx(expected, abs=1e-6)


def test_full_ranking_by_hand() -> None:
    scores = np.array([[0.9, 0.5, 0.5, 0.1], [0.2, 0.2, 0.2, 0.2]])
    ranks = ranks_of_targets(scores, [np.array([0]), np.array([], dtype=int)], np.array([1, 3]))
    assert ranks.tolist() == [2, 4]  # history items are excluded, ties count against the target
    metrics = ranking_metrics(np.array([1, 2, 11]))
    assert metrics["hr1"] == pytest.approx(1 / 3)
    assert metrics["hr10"] == pytest.approx(2 / 3)
    assert metrics["ndcg10"] == pytest.approx((1 + 1 / np.log2(3)) / 3)
    assert metrics["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 11) / 3)


def test_a_nan_score_never_ranks_first() -> None:
    scores = np.array([[np.nan, 1.0, 2.0], [0.5, np.nan, 2.0]])
    assert ranks_of_targets(scores, [np.array([], int), np.array([], int)], np.array([0, 0])).tolist() == [3, 3]


def test_a_diverged_training_is_refused_naming_the_key(small: SASRecSettings) -> None:
    wild = small.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(InputError, match=r"diverged.*lower sasrec\.learning_rate"):
        train([np.array([0, 1, 2, 3])] * 8, None, 4, wild, 1)


@pytest.mark.parametrize("loss", ["ce", "bce"])
def test_training_finds_planted_order_and_repeats_itself(
    loss: str, interactions: pd.DataFrame, examples: pd.DataFrame, small: SASRecSettings
) -> None:
    settings = small.model_copy(update={"loss": loss})
    sequences = list(sequences_by_user(training_sequences(interactions, examples)).values())
    chosen = examples[examples["split"] == "validation"]
    validation = (chosen["history"].tolist(), chosen["target"].to_numpy())
    before = torch.get_rng_state()
    first, second = (train(sequences, validation, 60, settings, 11)[0] for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    test = examples[examples["split"] == "test"]
    ranks = full_ranks(first, test["history"].tolist(), test["target"].to_numpy())
    assert ranking_metrics(ranks)["hr10"] > 0.5  # chance is about 0.17
    assert not first.items.weight[0].any()


def test_saved_models_load_unchanged(tmp_path: object, small: SASRecSettings) -> None:
    models = {-1: SASRec(9, small), 0: SASRec(9, small)}
    save_models(f"{tmp_path}/model.safetensors", models)
    loaded = load_models(f"{tmp_path}/model.safetensors", small)
    assert sorted(loaded) == [-1, 0]
    for fold, model in models.items():
        for a, b in zip(model.state_dict().values(), loaded[fold].state_dict().values(), strict=True):
            assert torch.equal(a, b)
    with pytest.raises(InputError, match="other `sasrec` settings"):
        load_models(f"{tmp_path}/model.safetensors", small.model_copy(update={"dimension": 8}))


def test_training_without_transitions_is_refused(small: SASRecSettings) -> None:
    with pytest.raises(InputError, match="no training sequence holds two items"):
        train([np.array([1])], None, 5, small, 0)
