"""DuoRec: positives share targets, and training learns the planted cycle and survives a kill."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pulse_core import checkpoints
from pulse_core.baselines.domain import Domain
from pulse_core.baselines.duorec import DuoRec
from pulse_core.baselines.settings.duorec import DuoRecSettings
from pulse_core.baselines.tuning import Tuned, candidate_figures, write_tuned
from pulse_core.checkpoints import Checkpoint

SMALL = DuoRecSettings(
    dimension=16, dropout=0.1, max_length=8, learning_rate=1e-2, batch_size=64, epochs=12, evaluate_every=3
)


@pytest.fixture(scope="module")
def trained(domain: Domain) -> tuple[DuoRec, dict]:
    system = DuoRec(domain, SMALL, 1)
    return system, system.fit(Checkpoint())


def test_positives_share_the_target(domain: Domain) -> None:
    """Wherever a target was bought twice, which on the cycle is nearly everywhere, the positive is another history."""
    system = DuoRec(domain, SMALL, 1)
    targets, rows = system.prefixes.targets, np.arange(len(system.prefixes))
    positives = system.prefixes.same_target(rows, np.random.default_rng(0))
    assert (targets[positives] == targets).all()
    several = np.bincount(targets)[targets] > 1
    assert several.mean() > 0.9
    assert np.array_equal(positives != rows, several)


def test_beats_popularity(domain: Domain, trained: tuple[DuoRec, dict]) -> None:
    popular = candidate_figures(domain.test, domain.popularity[domain.test.candidates])
    assert candidate_figures(domain.test, trained[0].scores(domain.test))["hr1"] > popular["hr1"] + 0.4


def test_alignment_and_uniformity_of_the_chosen_trial_are_recorded(
    domain: Domain, trained: tuple[DuoRec, dict], tmp_path: Path
) -> None:
    write_tuned("duorec", Tuned(trained[0], 0, []), domain, 1, tmp_path)
    figures = json.loads((tmp_path / "metrics.json").read_text())["further"]
    assert set(figures) == {"validation", "test"}
    # histories with one target are closer than random pairs; a collapsed space would have uniformity 0
    assert figures["test"]["alignment"] < 1.0
    assert figures["test"]["uniformity"] < -0.5


def test_the_seed_determines_the_weights(domain: Domain) -> None:
    short = SMALL.model_copy(update={"epochs": 1})
    first, again, other = (DuoRec(domain, short, seed) for seed in (1, 1, 2))
    for outside, system in enumerate((first, again, other)):
        torch.manual_seed(outside)  # the global generator must not matter
        system.fit(Checkpoint())
    assert all(torch.equal(value, again.tensors()[name]) for name, value in first.tensors().items())
    assert not torch.equal(first.tensors()["items.weight"], other.tensors()["items.weight"])


def test_resumed_training_equals_uninterrupted_training(
    domain: Domain, trained: tuple[DuoRec, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)  # a checkpoint after every epoch

    def killed(number: int) -> None:
        if number == 6:
            raise KeyboardInterrupt

    system = DuoRec(domain, SMALL, 1)
    monkeypatch.setattr(system, "prepare", killed)
    with pytest.raises(KeyboardInterrupt):
        system.fit(Checkpoint(tmp_path))
    resumed, begun = DuoRec(domain, SMALL, 1), []
    monkeypatch.setattr(resumed, "prepare", begun.append)
    record = resumed.fit(Checkpoint(tmp_path))
    assert begun[0] == 6
    assert record == trained[1]
    assert all(torch.equal(value, trained[0].tensors()[name]) for name, value in resumed.tensors().items())
