"""EC4SRec: item importance, the views built from it, retrieved positives, and training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pulse_core import checkpoints
from pulse_core.baselines.domain import Domain, Examples
from pulse_core.baselines.ec4srec.importance import importance, occlusion, saliency
from pulse_core.baselines.ec4srec.retrieval import Retrieval, softmax_of_others
from pulse_core.baselines.ec4srec.system import EC4SRec, MaskedSASRec
from pulse_core.baselines.ec4srec.views import Batch, importance_ranks, negative_view, positive_views
from pulse_core.baselines.prefixes import Prefixes
from pulse_core.baselines.settings.ec4srec import EC4SRecSettings
from pulse_core.baselines.tuning import candidate_figures
from pulse_core.checkpoints import Checkpoint

SMALL = EC4SRecSettings(
    dimension=16, dropout=0.1, max_length=8, learning_rate=1e-2, batch_size=64, epochs=12, evaluate_every=3
)
KEYS, NOISE, LENGTH = 6, 24, 4


@pytest.fixture(scope="module")
def decided() -> list[EC4SRec]:
    """Three seeds, trained on histories where one item decides: key k, anywhere among noise, is followed by k + 6."""
    generator = np.random.default_rng(4)
    sequences = []
    for _ in range(300):
        items = generator.choice(NOISE, LENGTH, replace=False) + 2 * KEYS
        key = generator.integers(KEYS)
        items[generator.integers(LENGTH)] = key
        sequences.append(np.append(items, key + KEYS))
    validation = Examples(
        "validation",
        [(user, "validation", LENGTH) for user in range(100)],
        [sequence[:LENGTH] for sequence in sequences[:100]],
        np.array([sequence[-1] for sequence in sequences[:100]]),
        np.tile(np.arange(KEYS, 2 * KEYS), (100, 1)),
    )
    domain = Domain(2 * KEYS + NOISE, sequences, validation, validation, validation)
    settings = SMALL.model_copy(update={"dimension": 32, "learning_rate": 3e-3, "epochs": 30, "explain_after": [0.99]})
    systems = [EC4SRec(domain, settings, seed) for seed in (1, 2, 3)]
    for system in systems:
        system.fit(Checkpoint())
    return systems


@pytest.mark.parametrize("method", ["occlusion", "saliency"])
def test_the_decisive_item_is_the_most_important(decided: list[EC4SRec], method: str) -> None:
    """Chance is 1 in 4, also for always choosing the last item.

    Gradients find the key less reliably than leaving items out, and vary between models.
    """
    shares = []
    for system in decided:
        validation, prefixes = system.domain.validation, system.prefixes
        assert candidate_figures(validation, system.scores(validation))["hr1"] > 0.9
        whole = np.flatnonzero(prefixes.lengths == LENGTH)
        values = prefixes.ragged(importance(system.model, prefixes, method), whole)
        keys = (prefixes.padded(whole) - 1 < KEYS).argmax(axis=1)
        shares.append((values.argmax(axis=1) == keys).mean())
    assert np.mean(shares) > 0.8 and min(shares) > 0.5


@pytest.mark.parametrize("max_length", [4, 20])
def test_importance_equals_that_of_one_prefix_at_a_time(max_length: int) -> None:
    """Shared passes equal leaving out each item and taking the gradient, one prefix at a time."""
    generator = np.random.default_rng(0)
    sequences = [generator.integers(0, 12, length) for length in (2, 5, 9, 7)]
    prefixes = Prefixes(sequences, max_length)
    model = random_model(12, max_length)
    left_out, gradients = [], []
    for sequence in sequences:
        for stop in range(1, len(sequence)):
            history = torch.from_numpy(sequence[max(0, stop - max_length) : stop] + 1)[None]
            vectors = model.items(history).detach().requires_grad_()
            state = model.encode(vectors)[0, -1]
            best = model.item_vectors()[(model.item_vectors() @ state).argmax()].detach()
            (gradient,) = torch.autograd.grad(state @ best, vectors)
            gradients += gradient[0].abs().sum(dim=1).tolist()
            for place in range(history.shape[1]):
                without = vectors.detach().clone()
                without[0, place] = 0.0
                left_out.append(((state - model.encode(without)[0, -1]) @ best).item())
    assert np.allclose(occlusion(model, prefixes), left_out, atol=1e-4)
    assert np.allclose(saliency(model, prefixes), gradients, atol=1e-4)
    normed = importance(model, prefixes, "saliency")
    assert np.allclose(np.add.reduceat(normed**2, prefixes.offsets[:-1]), 1.0, atol=1e-5)


def random_model(items: int, max_length: int) -> MaskedSASRec:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MaskedSASRec(items, EC4SRecSettings(dimension=8, max_length=max_length))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        model.items.weight[0] = 0.0
    return model.eval()


MASK = 99


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Thirty histories of each length from 1 to 10; item codes + 1 equal their positions: 1, 2, ..."""
    lengths = np.repeat(np.arange(1, 11), 30)
    columns = np.arange(10)
    return Batch(np.where(columns < lengths[:, None], columns + 1, 0), lengths)


@pytest.fixture(scope="module")
def ranks(batch: Batch) -> np.ndarray:
    return importance_ranks(np.random.default_rng(5).random(batch.padded.shape), batch.lengths)


def test_ranks_of_importance() -> None:
    ranks = importance_ranks(np.array([[0.1, 0.9, -0.5, 7.0], [0.3, 0.3, 0.4, 0.5]]), np.array([3, 4]))
    assert ranks.tolist() == [[1, 0, 2, 3], [2, 3, 1, 0]]


def unmoved(view: Batch, row: int, place: int) -> bool:
    return bool(view.padded[row, place] == place + 1)


def well_formed(view: Batch) -> None:
    """`lengths` items, at least one, then padding; masked items are not padding."""
    columns = np.arange(view.padded.shape[1])
    assert ((view.padded > 0) == (columns < view.lengths[:, None])).all()
    assert (view.lengths >= 1).all()


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.7])
def test_positive_views_keep_important_items(batch: Batch, ranks: np.ndarray, ratio: float) -> None:
    """Every kind of view keeps the most important items in order, and in place unless cropped."""
    for view in positive_views(batch, ranks, ratio, MASK, np.random.default_rng(1)):
        well_formed(view)
        for row, length in enumerate(batch.lengths):
            if view.lengths[row] < length:
                kept = np.flatnonzero(ranks[row] < np.ceil(ratio * length - 1e-9))
                assert view.padded[row, : view.lengths[row]].tolist() == (kept + 1).tolist()
            else:
                others = int(max(np.floor((1 - ratio) * length + 1e-9), 1))
                important = np.flatnonzero(ranks[row] < max(length - others, 1))
                assert all(unmoved(view, row, place) for place in important)
                masked = view.padded[row] == MASK
                assert masked.sum() in (0, min(others, length - 1))


def test_the_two_positive_views_differ_in_kind(batch: Batch, ranks: np.ndarray) -> None:
    one, other = positive_views(batch, ranks, 0.5, MASK, np.random.default_rng(1))
    long = batch.lengths >= 4
    kinds = [
        np.where(v.lengths < batch.lengths, 0, np.where((v.padded == MASK).any(axis=1), 1, 2))[long]
        for v in (one, other)
    ]
    assert (kinds[0] != kinds[1]).all()
    assert all(set(kind) == {0, 1, 2} for kind in kinds)


def test_negative_views_change_important_items(batch: Batch, ranks: np.ndarray) -> None:
    """No view equals its history: the most important items are cropped, masked or moved."""
    ratio = 0.7
    view = negative_view(batch, ranks, ratio, MASK, np.random.default_rng(1))
    well_formed(view)
    assert (view.padded != batch.padded).any(axis=1).all()
    for row, length in enumerate(batch.lengths):
        left, touched = max(int(ratio * length + 1e-9), 1), max(int((1 - ratio) * length + 1e-9), 1)
        items = view.padded[row, : view.lengths[row]]
        if view.lengths[row] < length:
            least = np.flatnonzero(ranks[row, :length] >= length - left)
            assert items.tolist() == (least + 1).tolist()
        elif MASK in items:
            assert ranks[row, : view.lengths[row]][items == MASK].tolist() == ranks[row][ranks[row] < touched].tolist()
        else:
            untouched = np.flatnonzero((ranks[row] >= max(touched, 2)) & (np.arange(10) < length))
            assert all(unmoved(view, row, place) for place in untouched)
            assert sorted(items) == list(range(1, length + 1))
    single = batch.lengths == 1
    assert (view.padded[single, 0] == MASK).all()


def test_a_masked_item_is_neither_padding_nor_scored() -> None:
    model = random_model(12, 4)
    assert model.item_vectors().shape == (12, 8)
    assert model.mask == 13
    assert model.items.weight[model.mask].abs().sum() > 0


def test_retrieved_histories_share_the_target_and_important_items() -> None:
    """Of the histories before item 0, (1, 2) draws (4, 2) more often than (1, 5), since its important item is 2."""
    prefixes = Prefixes([np.array(s) for s in ([1, 2, 0], [4, 2, 0], [1, 5, 0], [6, 7, 9])], 8)
    values = np.zeros(prefixes.offsets[-1])
    query = 1  # the prefix (1, 2) before 0
    values[prefixes.offsets[query] : prefixes.offsets[query] + 2] = [0.1, 2.0]
    retrieval = Retrieval(prefixes, values, 10, np.random.default_rng(0))
    chances = dict(zip(retrieval.choices[query].tolist(), retrieval.chances[query].tolist(), strict=True))
    utilities = np.exp(2.0) / 2, np.exp(0.1) / 2  # (4, 2) and (1, 5): one of two items is shared
    assert chances[3] / chances[5] == pytest.approx(np.exp(utilities[0] - utilities[1]), rel=1e-5)
    assert chances[query] == 0.0
    generator = np.random.default_rng(1)
    drawn = np.stack([retrieval.draw(generator) for _ in range(300)])
    assert (prefixes.targets[drawn] == prefixes.targets).all()
    assert (drawn[:, query] == 3).mean() == pytest.approx(chances[3], abs=0.06)
    unique = int(np.flatnonzero(prefixes.targets == 9)[0])
    assert (drawn[:, unique] == unique).all()


def test_softmax_excludes_itself_unless_it_is_the_only_one() -> None:
    probabilities = softmax_of_others(np.array([[5.0, 0.0, np.log(3.0)]]), np.array([[True, False, False]]))
    assert probabilities[0].tolist() == pytest.approx([0.0, 0.25, 0.75])
    assert softmax_of_others(np.array([[5.0]]), np.array([[True]])).tolist() == [[1.0]]


def recorded_contrast(system: EC4SRec, record: Callable[[int, bool], None]) -> Callable:
    """The system's contrast, recording which epochs had one."""
    contrast, state = system.contrast, {"epoch": 0}
    prepare = system.prepare

    def prepared(number: int) -> None:
        state["epoch"] = number
        prepare(number)

    def recorded(rows: np.ndarray, generator: np.random.Generator) -> torch.Tensor | None:
        loss = contrast(rows, generator)
        record(state["epoch"], loss is not None)
        return loss

    system.prepare = prepared  # type: ignore[method-assign]
    return recorded


@pytest.fixture(scope="module")
def trained(domain: Domain) -> tuple[EC4SRec, dict, dict[int, bool]]:
    system, seen = EC4SRec(domain, SMALL, 1), {}
    system.contrast = recorded_contrast(system, seen.__setitem__)  # type: ignore[method-assign]
    return system, system.fit(Checkpoint()), seen


def test_beats_popularity(domain: Domain, trained: tuple[EC4SRec, dict, dict]) -> None:
    popular = candidate_figures(domain.test, domain.popularity[domain.test.candidates])
    assert candidate_figures(domain.test, trained[0].scores(domain.test))["hr1"] > popular["hr1"] + 0.4


def test_no_contrast_or_validation_before_the_first_explanation(trained: tuple[EC4SRec, dict, dict]) -> None:
    _, record, seen = trained
    assert SMALL.explaining_epochs == [4, 8]
    assert seen == {epoch: epoch >= 4 for epoch in range(1, 13)}
    assert min(figures["epoch"] for figures in record["curve"]) >= 4


def test_only_the_backbone_is_saved(trained: tuple[EC4SRec, dict, dict]) -> None:
    kept, explained = trained[0].tensors(), dict(trained[0].explained.named_parameters())
    assert set(kept) == set(explained)
    assert not torch.equal(kept["items.weight"], explained["items.weight"])


@pytest.mark.parametrize("killed_at", [6, 8])
def test_resumed_training_equals_uninterrupted_training(
    domain: Domain,
    trained: tuple[EC4SRec, dict, dict],
    killed_at: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Resumed between explanations, importance is that of the earlier weights; resumed at one, it is recomputed."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)  # a checkpoint after every epoch
    system = EC4SRec(domain, SMALL, 1)
    prepare = system.prepare

    def killed(number: int) -> None:
        if number == killed_at:
            raise KeyboardInterrupt
        prepare(number)

    monkeypatch.setattr(system, "prepare", killed)
    with pytest.raises(KeyboardInterrupt):
        system.fit(Checkpoint(tmp_path))
    resumed = EC4SRec(domain, SMALL, 1)
    assert resumed.fit(Checkpoint(tmp_path)) == trained[1]
    assert all(torch.equal(value, trained[0].tensors()[name]) for name, value in resumed.tensors().items())
