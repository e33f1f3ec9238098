"""CTRL: training aligns two towers on the same samples; only the collaborative one ranks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pulse_core import checkpoints
from pulse_core.baselines import ctrl, sasrec
from pulse_core.baselines.ctrl import CTRL, Sample, alignment_loss, late_interaction, prompts, training_samples
from pulse_core.baselines.domain import Domain
from pulse_core.baselines.settings.ctrl import CTRLSettings
from pulse_core.baselines.tuning import candidate_figures
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder
from tests.workflow.tiny_models import save_encoder

QUICK = CTRLSettings(
    dimension=32,
    dropout=0.1,
    max_length=8,
    learning_rate=1e-2,
    batch_size=16,
    epochs=8,
    evaluate_every=4,
    projection=16,
    history_items=1,
    alignment_epochs=8,
    alignment_batch=16,
    alignment_learning_rate=5e-3,
    encoder_learning_rate=1e-3,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def encoder(titles: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder")
    save_encoder(path, [*titles, "This is a user, who has recently bought a|b. This is an item, title is c."])
    return path


def test_late_interaction_by_hand() -> None:
    left = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])  # one sample with two sub-vectors
    right = torch.tensor([[[1.0, 1.0], [3.0, 0.0]], [[-1.0, 0.0], [0.0, -1.0]]])
    # largest products with the two samples: [1, 0] gives 3 and 0, [0, 2] gives 2 and 0
    assert late_interaction(left, right).tolist() == [[5.0, 0.0]]
    # in the other direction [1, 1] gives 2, [3, 0] gives 3, and [-1, 0] and [0, -1] give 0
    assert late_interaction(right, left).tolist() == [[5.0], [0.0]]


@pytest.mark.parametrize("kind", ["softmax", "bce"])
def test_alignment_loss_falls_as_pairs_agree(kind: str) -> None:
    sides = torch.eye(4).repeat_interleave(2, dim=0).view(4, 2, 4)  # sample i: axis i twice
    right = alignment_loss(4 * sides, 4 * sides, 1.0, kind)
    wrong = alignment_loss(4 * sides, 4 * sides.roll(1, 0), 1.0, kind)
    assert right < wrong / 2
    if kind == "softmax":
        # similarities are 32 on the diagonal and 0 elsewhere
        expected = np.log(1 + 3 * np.exp(-32.0))
        assert float(right) == pytest.approx(expected, abs=1e-6)
        two = alignment_loss(sides, sides, 2.0, kind)
        assert float(two) == pytest.approx(np.log(1 + 3 * np.exp(-1.0)), rel=1e-5)


def test_samples_are_prefixes_with_their_next_item() -> None:
    sequences = [np.array([4, 5, 6]), np.array([7]), np.array([1, 2])]
    samples = {(tuple(map(int, history)), item) for history, item in training_samples(sequences, None, 3)}
    assert samples == {((4,), 5), ((4, 5), 6), ((1,), 2)}
    assert len(training_samples(sequences, 2, 3)) == 2


def test_prompt_drops_the_oldest_titles_and_keeps_the_item(encoder: Path, titles: list[str]) -> None:
    samples = [Sample(np.array([3, 4, 5, 6]), 7)]
    whole = prompts(samples, titles, Encoder(encoder, 200), 3)[0]
    assert whole == (
        "This is a user, who has recently bought Thing number 4|Thing number 5|Thing number 6. "
        "This is an item, title is Thing number 7."
    )
    length = len(Encoder(encoder, 200).tokens([whole])[0])
    short = prompts(samples, titles, Encoder(encoder, length - 1), 3)[0]
    assert "number 4" not in short
    assert short.endswith("bought Thing number 5|Thing number 6. This is an item, title is Thing number 7.")


@pytest.mark.parametrize("kind", ["softmax", "bce"])
def test_towers_align_a_planted_correspondence(domain: Domain, titles: list[str], encoder: Path, kind: str) -> None:
    """Validation users are new to both towers, but on a cycle their last two items are not."""
    figures = CTRL(domain, titles, QUICK.model_copy(update={"alignment_loss": kind}), 3, encoder).align(Checkpoint())
    assert figures["among"] == 16
    assert figures["retrieval"] > 3 / 16  # chance is 1 / 16


def test_only_the_collaborative_tower_is_saved_and_ranks(domain: Domain, titles: list[str], encoder: Path) -> None:
    system = CTRL(domain, titles, QUICK.model_copy(update={"samples": 128, "alignment_epochs": 1}), 3, encoder)
    system.fit(Checkpoint())
    reached = candidate_figures(domain.test, system.scores(domain.test))["hr1"]
    popular = candidate_figures(domain.test, domain.popularity[domain.test.candidates].astype(float))["hr1"]
    assert reached > popular + 0.2
    assert set(system.tensors()) == set(system.new_backbone().state_dict())


def test_a_resume_in_the_second_stage_does_not_repeat_the_first(
    domain: Domain, titles: list[str], encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    settings = QUICK.model_copy(update={"samples": 64, "alignment_epochs": 2, "epochs": 3, "evaluate_every": 1})

    def new() -> CTRL:
        return CTRL(domain, titles, settings, 3, encoder)

    uninterrupted = new()
    record = uninterrupted.fit(Checkpoint())
    run_epoch, calls, steps = sasrec.run_epoch, [], []

    def until_killed(*given: Any) -> list[float]:
        calls.append(len(calls))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run_epoch(*given)

    monkeypatch.setattr(sasrec, "run_epoch", until_killed)
    with pytest.raises(KeyboardInterrupt):
        new().fit(Checkpoint(tmp_path, "code"))
    resumed, loss = new(), ctrl.alignment_loss
    monkeypatch.setattr(ctrl, "alignment_loss", lambda *given: steps.append(1) or loss(*given))
    assert resumed.fit(Checkpoint(tmp_path, "code")) == record
    assert steps == []
    assert len(calls) == 4  # only the third epoch
    np.testing.assert_array_equal(uninterrupted.scores(domain.test), resumed.scores(domain.test))
