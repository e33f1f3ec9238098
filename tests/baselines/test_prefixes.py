"""Prefix augmentation and the pass without padding, against the plain model on one prefix at a time."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pulse_core.baselines.packed import dropped, packed_states
from pulse_core.baselines.prefixes import Prefixes
from pulse_core.baselines.settings.post_norm import PostNormSettings
from pulse_core.sequence.batches import pad
from pulse_core.sequence.model import SASRec

ITEMS, MAX_LENGTH = 30, 6


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    """Sequences shorter and longer than the model reads; one is too short to learn from."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, ITEMS, length) for length in (1, 2, 5, 9, 7, 6, 3, 12, 8, 8)]


@pytest.fixture(scope="module")
def plain(sequences: list[np.ndarray]) -> list[tuple[np.ndarray, int]]:
    """(last items of a prefix, next item) of every prefix."""
    return [(s[max(0, stop - MAX_LENGTH) : stop], int(s[stop])) for s in sequences for stop in range(1, len(s))]


@pytest.fixture(scope="module")
def model() -> SASRec:
    """A model whose weights are all large enough to matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SASRec(ITEMS, PostNormSettings(dimension=16, max_length=MAX_LENGTH), post_norm=True)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        model.items.weight[0] = 0.0
    return model.eval()


def test_every_prefix_once(sequences: list[np.ndarray], plain: list[tuple[np.ndarray, int]]) -> None:
    prefixes = Prefixes(sequences, MAX_LENGTH)
    padded = prefixes.padded(np.arange(len(prefixes)))
    pairs = [((row[row > 0] - 1).tolist(), int(target)) for row, target in zip(padded, prefixes.targets, strict=True)]
    assert pairs == [(history.tolist(), target) for history, target in plain]
    assert prefixes.lengths.tolist() == [len(history) for history, _ in plain]


def test_an_epoch_takes_each_prefix_once(sequences: list[np.ndarray]) -> None:
    prefixes = Prefixes(sequences, MAX_LENGTH)
    steps = list(prefixes.steps(8, np.random.default_rng(1)))
    assert [len(rows) for _, rows in steps] == [8] * (len(prefixes) // 8) + [len(prefixes) % 8]
    assert sorted(np.concatenate([rows for _, rows in steps])) == list(range(len(prefixes)))
    assert sorted(np.concatenate([windows for windows, _ in steps])) == list(range(len(prefixes.windows)))


def test_cross_entropy_equals_that_of_separate_prefixes(
    sequences: list[np.ndarray], plain: list[tuple[np.ndarray, int]], model: SASRec
) -> None:
    """The mean over an epoch's steps is the mean over all prefixes, and so is the gradient."""
    separate = [
        F.cross_entropy(model(pad([history]))[:, -1] @ model.item_vectors().T, torch.tensor([target]))
        for history, target in plain
    ]
    expected = torch.stack(separate).mean()
    prefixes = Prefixes(sequences, MAX_LENGTH)
    steps = list(prefixes.steps(8, np.random.default_rng(1)))
    loss_of_steps = torch.stack([prefixes.cross_entropy(model, windows, 8) for windows, _ in steps]).mean()
    assert loss_of_steps.item() == pytest.approx(expected.item(), rel=1e-5)
    gradients = [torch.autograd.grad(loss, list(model.parameters())) for loss in (expected, loss_of_steps)]
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_packed_states_equal_the_models_states(model: SASRec) -> None:
    generator = np.random.default_rng(2)
    rows = [generator.integers(0, ITEMS, length) for length in generator.integers(1, MAX_LENGTH + 1, 50)]
    padded, lengths = pad(rows), np.array([len(row) for row in rows])
    whole = model(padded)
    last = packed_states(model, padded.numpy(), lengths)
    assert torch.allclose(last, whole[torch.arange(50), torch.from_numpy(lengths) - 1], atol=1e-5)
    everywhere = packed_states(model, padded.numpy(), lengths, np.nonzero(padded.numpy()))
    assert torch.allclose(everywhere, whole[padded > 0], atol=1e-5)


def test_dropout_keeps_the_mean_and_drops_the_share() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        values = dropped(torch.ones(400_003), 0.3)
    assert (values == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert values.mean().item() == pytest.approx(1.0, abs=0.01)
    # four values share a random word, 16 bits each: they must be uncorrelated
    kept = (values[:400_000] > 0).float().view(-1, 4)
    assert torch.corrcoef(kept.T).fill_diagonal_(0.0).abs().max() < 0.02


def test_same_target(sequences: list[np.ndarray]) -> None:
    """Other prefixes with the same target are drawn about equally often; one with a unique target draws itself."""
    prefixes = Prefixes([np.array([9, 1, 2]), np.array([8, 1, 3]), np.array([7, 1]), np.array([6, 1])], MAX_LENGTH)
    assert prefixes.targets.tolist() == [1, 2, 1, 3, 1, 1]
    generator = np.random.default_rng(0)
    drawn = np.stack([prefixes.same_target(np.arange(6), generator) for _ in range(600)])
    assert (prefixes.targets[drawn] == prefixes.targets).all()
    assert (drawn[:, [1, 3]] == [1, 3]).all()
    assert (np.bincount(drawn[:, 2], minlength=6)[[0, 4, 5]] > 150).all()
    assert (drawn[:, [0, 2, 4, 5]] != [0, 2, 4, 5]).all()
