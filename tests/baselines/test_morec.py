"""MoRec: items are represented by their titles, whose encoder is trained as deep as configured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pulse_core import checkpoints
from pulse_core.baselines.domain import Domain
from pulse_core.baselines.morec import MoRec, debiased_batch_loss
from pulse_core.baselines.settings.morec import MoRecSettings
from pulse_core.baselines.text_tower import TextTower
from pulse_core.baselines.tuning import candidate_figures
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder
from pulse_core.errors import InputError
from tests.workflow.tiny_models import save_encoder

QUICK = MoRecSettings(dimension=32, batch_size=16, learning_rate=3e-3, encoder_every=1, epochs=1, dropout=0.0)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def encoder(titles: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder")
    save_encoder(path, titles)
    return path


def trained_layers(encoder: Path, system: MoRec) -> set[str]:
    """Encoder layers whose weights have changed; "embeddings" stands for those below the first layer."""
    before, layers = dict(Encoder(encoder).model.named_parameters()), set()
    top = system.settings.encoder_layers
    for name, value in system.tensors().items():
        if name.startswith("encoder.top."):
            parameter = name.removeprefix("encoder.top.")
            if parameter.startswith("encoder.layer."):
                number = int(parameter.split(".")[2]) + (0 if top is None else 2 - top)
                parameter = ".".join(["encoder", "layer", str(number), *parameter.split(".")[3:]])
                if not torch.equal(before[parameter], value):
                    layers.add(f"layer {number}")
            elif not torch.equal(before[parameter], value):
                layers.add("embeddings")
    return layers


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(None, {"embeddings", "layer 0", "layer 1"}), (1, {"layer 1"}), (0, set())],
)
def test_only_the_configured_encoder_layers_are_trained(
    domain: Domain, titles: list[str], encoder: Path, layers: int | None, expected: set[str]
) -> None:
    system = MoRec(domain, titles, QUICK.model_copy(update={"encoder_layers": layers}), 3, encoder)
    system.fit(Checkpoint())
    assert trained_layers(encoder, system) == expected
    assert any(name.startswith("users.") for name in system.tensors())
    if layers == 0:
        assert not any(name.startswith("encoder.") for name in system.tensors())


@pytest.mark.parametrize("layers", [None, 2, 1, 0])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_text_tower_equals_the_whole_encoder(
    encoder: Path, titles: list[str], layers: int | None, pooling: str
) -> None:
    texts = [*titles[:9], "Thing", titles[0], "Thing number 1 and more of it"]
    tower = TextTower(Encoder(encoder, 30, pooling), texts, layers).eval()
    plain = Encoder(encoder, 30, pooling)
    expected = torch.from_numpy(plain.encode(texts))
    for numbers in ([3, 0, 11], range(12), [10, 10, 0]):
        vectors = torch.nn.functional.normalize(tower(np.array(list(numbers))), dim=-1)
        torch.testing.assert_close(vectors, expected[list(numbers)], atol=1e-5, rtol=1e-4)


def test_outputs_of_frozen_layers_do_not_depend_on_earlier_batches(encoder: Path, titles: list[str]) -> None:
    """A resumed training sees other batches, whose outputs in bfloat16 would differ in bits."""
    first, second = (TextTower(Encoder(encoder, 30, "mean", "bfloat16"), titles, 1).eval() for _ in range(2))
    first(np.arange(40))
    items = np.array([7, 50])
    assert torch.equal(first(items), second(items))


def test_more_layers_than_the_encoder_has_are_refused(encoder: Path, titles: list[str]) -> None:
    with pytest.raises(InputError, match="got 3, the encoder has 2"):
        TextTower(Encoder(encoder), titles, 3)


def test_items_with_the_same_title_share_their_vector(domain: Domain, titles: list[str], encoder: Path) -> None:
    shared = [*titles[:5], titles[7], *titles[6:]]
    system = MoRec(domain, shared, QUICK, 3, encoder)
    vectors = system.ranking_model().item_vectors()
    assert torch.equal(vectors[5], vectors[7])
    assert not torch.equal(vectors[5], vectors[6])


def test_debiased_loss_equals_the_formula_over_all_positions_of_the_batch() -> None:
    """Two users and five items, one of them twice in the batch, against the sum over positions one by one."""
    generator = torch.Generator().manual_seed(1)
    sequences = [[0, 1, 2], [3, 1, 4]]
    states, vectors = torch.randn(4, 6, generator=generator), torch.randn(5, 6, generator=generator)
    share = torch.tensor([0.1, 0.4, 0.2, 0.1, 0.2])
    targets, owners = [1, 2, 1, 4], [0, 0, 1, 1]
    expected = []
    for state, target, owner in zip(states, targets, owners, strict=True):
        score = {item: float(state @ vectors[item] - share[item].log()) for item in range(5)}
        others = [np.exp(score[j]) for sequence in sequences for j in sequence if j not in sequences[owner]]
        expected.append(-np.log(np.exp(score[target]) / (np.exp(score[target]) + sum(others))))
    purchased = torch.tensor([[True, True, True, False, False], [False, True, False, True, True]])
    counts = torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0])
    loss = debiased_batch_loss(states, vectors, torch.tensor(targets), torch.tensor(owners), purchased, counts, share)
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("loss", ["ce", "batch_ce", "bce"])
def test_beats_popularity_on_the_planted_cycle(domain: Domain, titles: list[str], encoder: Path, loss: str) -> None:
    settings = QUICK.model_copy(
        update={"loss": loss, "epochs": 20, "encoder_learning_rate": 1e-3, "evaluate_every": 20}
    )
    system = MoRec(domain, titles, settings, 3, encoder)
    system.fit(Checkpoint())
    reached = candidate_figures(domain.test, system.scores(domain.test))["hr1"]
    popular = candidate_figures(domain.test, domain.popularity[domain.test.candidates].astype(float))["hr1"]
    assert reached > popular + 0.2


def test_resumed_training_equals_uninterrupted_training(
    domain: Domain, titles: list[str], encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    settings = QUICK.model_copy(update={"epochs": 3, "dropout": 0.1})
    uninterrupted = MoRec(domain, titles, settings, 3, encoder)
    uninterrupted.fit(Checkpoint())
    killed = MoRec(domain, titles, settings, 3, encoder)
    run_epoch, numbers = killed._epoch, []

    def until_killed(*given: Any) -> list[float]:
        numbers.append(len(numbers))
        if len(numbers) == 3:
            raise KeyboardInterrupt
        return run_epoch(*given)

    monkeypatch.setattr(killed, "_epoch", until_killed)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(Checkpoint(tmp_path, "code"))
    resumed = MoRec(domain, titles, settings, 3, encoder)
    epochs: list[int] = []
    resumed_epoch = resumed._epoch
    monkeypatch.setattr(resumed, "_epoch", lambda *given: epochs.append(1) or resumed_epoch(*given))
    resumed.fit(Checkpoint(tmp_path, "code"))
    assert len(epochs) == 1
    assert all(torch.equal(value, resumed.tensors()[name]) for name, value in uninterrupted.tensors().items())
    np.testing.assert_array_equal(uninterrupted.scores(domain.test), resumed.scores(domain.test))


def test_a_large_catalogue_is_not_encoded_whole(
    domain: Domain, titles: list[str], encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = MoRec(domain, titles, QUICK.model_copy(update={"whole_catalogue": 59, "batch_size": 4}), 3, encoder)
    forward, encoded = system.text.forward, []

    def counted(numbers: np.ndarray) -> torch.Tensor:
        if system.text.training:
            encoded.append(len(numbers))
        return forward(numbers)

    monkeypatch.setattr(system.text, "forward", counted)
    assert system.fit(Checkpoint())["loss"] == "batch_ce"
    assert max(encoded) < 59
