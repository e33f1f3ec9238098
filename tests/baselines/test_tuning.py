"""Trials: the same number for every system, the best by validation kept, finished ones not repeated."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from torch import Tensor, tensor

from pulse_core.baselines.domain import Domain, Examples, Recommender
from pulse_core.baselines.item_knn import ItemKNN
from pulse_core.baselines.sasrec import SASRecBaseline
from pulse_core.baselines.settings.a_llmrec import ALLMRecSettings
from pulse_core.baselines.settings.all import BaselinesSettings
from pulse_core.baselines.settings.item_knn import ItemKNNSettings
from pulse_core.baselines.settings.ranker import RankerTrialsSettings
from pulse_core.baselines.settings.sasrec import SASRecBaselineSettings
from pulse_core.baselines.tuning import tune, write_tuned
from pulse_core.checkpoints import Checkpoint
from pulse_core.config import load_config
from pulse_core.errors import InputError
from pulse_core.ranking.settings import RankerSettings


def examples(split: str, users: int) -> Examples:
    """Candidate 0 of four is every user's target."""
    return Examples(
        split,
        [(user, split, 3) for user in range(users)],
        [np.array([5, 6])] * users,
        np.zeros(users, dtype=np.int64),
        np.tile(np.arange(4), (users, 1)),
    )


class Fixed(Recommender):
    """Ranks the target first for the first `neighbours` users."""

    made: list[int]

    def __init__(self, settings: ItemKNNSettings, fitted: list[int]) -> None:
        self.settings, self.hits, self.fitted = settings, settings.neighbours, fitted

    def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
        self.fitted.append(self.hits)
        return {"best_epoch": 1}

    def scores(self, given: Examples) -> np.ndarray:
        first = np.arange(len(given)) < self.hits
        return np.where(first[:, None], [3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0]).astype(np.float32)

    def tensors(self) -> dict[str, Tensor]:
        return {"hits": tensor([self.hits])}


def domain(users: int = 8) -> Domain:
    parts = {name: examples(name, users) for name in ("train", "validation", "test")}
    return Domain(7, [np.array([5, 6, 1])] * users, **parts)


def tried(*numbers: int) -> ItemKNNSettings:
    return ItemKNNSettings(search=[{"neighbours": hits, "shrink": float(at)} for at, hits in enumerate(numbers)])


@pytest.mark.parametrize(
    ("numbers", "chosen"), [((2, 5, 3), 1), ((5, 5, 3), 0), ((1, 2, 3), 2)], ids=["best", "first of equals", "last"]
)
def test_the_best_trial_by_validation_is_kept(numbers: tuple[int, ...], chosen: int, tmp_path: Path) -> None:
    fitted: list[int] = []
    tuned = tune(lambda settings: Fixed(settings, fitted), tried(*numbers), 3, domain().validation)
    assert tuned.chosen == chosen and fitted == list(numbers)
    write_tuned("fixed", tuned, domain(), 5, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["chosen"] == chosen and metrics["settings"]["neighbours"] == numbers[chosen]
    assert [trial["validation"]["hr1"] for trial in metrics["trials"]] == [number / 8 for number in numbers]
    rows = pd.read_parquet(tmp_path / "predictions.parquet")
    assert sorted(rows["split"].unique()) == ["test", "validation"] and len(rows) == 16
    first = np.stack(rows[rows["split"] == "test"]["scores"].tolist()).argmax(axis=1) == 0
    assert first.sum() == numbers[chosen]


def test_only_the_configured_number_of_trials_runs() -> None:
    fitted: list[int] = []
    tune(lambda settings: Fixed(settings, fitted), tried(1, 2, 3, 4), 2, domain().validation)
    assert fitted == [1, 2]


def test_an_error_names_its_trial() -> None:
    class Diverging(Fixed):
        def fit(self, checkpoint: Checkpoint) -> dict[str, Any]:
            if self.hits == 5:
                raise InputError("diverged: lower learning_rate")
            return super().fit(checkpoint)

    settings = ItemKNNSettings(search=[{}, {"neighbours": 5}])
    with pytest.raises(InputError, match=r"search\[1\] = \{'neighbours': 5\}: diverged"):
        tune(lambda trial: Diverging(trial, []), settings, 2, domain().validation)


def test_a_trial_with_a_wrong_key_or_value_is_refused_with_its_position() -> None:
    for changed in ({"neighbors": 3}, {"neighbours": 0}, {"search": []}):
        with pytest.raises(ValidationError, match=r"search\[1\]"):
            ItemKNNSettings(search=[{}, changed])
    with pytest.raises(InputError, match=r"baselines\.ranker.*search\[1\].*learning_rat"):
        load_config({"baselines": {"ranker": {"search": [{}, {"learning_rat": 1.0}]}}})


def test_a_trial_changes_only_the_named_keys_of_a_nested_section() -> None:
    given = {"alignment": {"epochs": 7, "text_tokens": 50}, "search": [{}, {"alignment": {"text_weight": 0.5}}]}
    tried = ALLMRecSettings.model_validate(given).trial(1)
    assert (tried.alignment.text_weight, tried.alignment.epochs, tried.alignment.text_tokens) == (0.5, 7, 50)


def test_the_same_trial_twice_is_refused() -> None:
    """Trials are compared by their resulting settings; entries beyond baselines.trials may repeat."""
    for search, base in (([{"shrink": 1.0}, {"shrink": 1.0}], {}), ([{}, {"shrink": 1.0}], {"shrink": 1.0})):
        with pytest.raises(InputError, match=r"baselines\.item_knn\.search\[1\] = .*the same trial as search\[0\]"):
            load_config({"baselines": {"item_knn": {"search": search, **base}}})
        load_config({"baselines": {"item_knn": {"search": [{"decay": 0.1}, *search], **base}}})
    trials = RankerTrialsSettings(search=[{}, {"learning_rate": 3e-4}])
    with pytest.raises(InputError, match=r"baselines\.ranker\.search\[1\].*the same trial as search\[0\]"):
        trials.require_different_over(RankerSettings(learning_rate=3e-4))
    trials.require_different_over(RankerSettings(learning_rate=2e-4))
    load_config({"ranker": {"learning_rate": 3e-4}})  # allowed where only hr1.json is built


def test_every_system_needs_the_configured_number_of_trials() -> None:
    with pytest.raises(InputError, match=r"baselines\.item_knn\.search: got 1 entries.*baselines\.trials \(2\)"):
        load_config({"baselines": {"item_knn": {"search": [{}]}}})
    sections = BaselinesSettings().model_dump()
    assert all(len(section["search"]) >= 4 for name, section in sections.items() if name != "trials")


def walking(users: int = 40, items: int = 20) -> Domain:
    """Users walk round the catalogue from random starts."""
    starts = np.random.default_rng(3).integers(items, size=users)
    walks = [(start + np.arange(8)) % items for start in starts]

    def part(split: str, position: int) -> Examples:
        targets = np.array([walk[position] for walk in walks])
        others = np.array([(walk[position] + 3 + np.arange(5)) % items for walk in walks])
        return Examples(
            split,
            [(user, split, position) for user in range(users)],
            [walk[:position] for walk in walks],
            targets,
            np.column_stack([others, targets]),
        )

    learned = [walk[:6] for walk in walks]
    return Domain(items, learned, part("train", 5), part("validation", 6), part("test", 7))


def small(**changed: Any) -> SASRecBaselineSettings:
    values = {"dimension": 16, "dropout": 0.1, "learning_rate": 1e-2, "batch_size": 16, "evaluate_every": 2}
    return SASRecBaselineSettings(**{**values, "epochs": 8, "search": [{"loss": "ce"}, {"loss": "bce"}], **changed})


class Killed(Exception):
    """Stands in for SIGKILL between two epochs."""


def test_a_killed_training_resumes_and_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = SASRecBaseline(walking(), small(), 9)
    record = uninterrupted.fit(Checkpoint())

    monkeypatch.setattr("pulse_core.checkpoints.SECONDS", 0.0)
    monkeypatch.setattr("pulse_core.checkpoints.SHARE", 1e9)
    monkeypatch.setattr("pulse_core.baselines.sasrec.run_epoch", _killing(5))
    with pytest.raises(Killed):
        SASRecBaseline(walking(), small(), 9).fit(Checkpoint(tmp_path, "code"))
    monkeypatch.setattr("pulse_core.baselines.sasrec.run_epoch", _killing(4))  # epochs 5 to 8 remain
    resumed = SASRecBaseline(walking(), small(), 9)
    assert resumed.fit(Checkpoint(tmp_path, "code")) == record
    for name, value in uninterrupted.tensors().items():
        assert value.equal(resumed.tensors()[name]), name

    monkeypatch.setattr("pulse_core.baselines.sasrec.run_epoch", _killing(0))  # no epoch remains
    done = SASRecBaseline(walking(), small(), 9)
    assert done.fit(Checkpoint(tmp_path, "code")) == record
    assert all(value.equal(done.tensors()[name]) for name, value in uninterrupted.tensors().items())
    with pytest.raises(Killed):  # another seed is another training
        SASRecBaseline(walking(), small(), 10).fit(Checkpoint(tmp_path, "code"))


def test_fingerprints_differ_between_sequences() -> None:
    """The fingerprint covers where sequences end, not only their items."""
    one, other = (
        replace(domain(), sequences=[np.array(sequence) for sequence in sequences])
        for sequences in ([[1, 2, 3], [4]], [[1, 2], [3, 4]])
    )
    assert one.fingerprint != other.fingerprint == replace(other).fingerprint


def test_a_corpus_with_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        SASRecBaseline(replace(domain(), sequences=[np.array([1])] * 8), small(), 1)


def _killing(after: int) -> Any:
    """run_epoch that raises Killed from its call number `after` + 1."""
    from pulse_core.sequence.training import run_epoch

    calls = []

    def epoch(*arguments: Any) -> list[float]:
        calls.append(1)
        if len(calls) > after:
            raise Killed
        return run_epoch(*arguments)

    return epoch


def test_item_knn_beats_popularity_on_planted_order() -> None:
    test = walking().test
    popular_hits = walking().popularity[test.candidates].argmax(axis=1) == test.places()
    hits = ItemKNN(walking(), ItemKNNSettings(decay=0.7)).scores(test).argmax(axis=1) == test.places()
    assert hits.mean() > popular_hits.mean() + 0.3


def test_sasrec_learns_planted_order_with_both_losses() -> None:
    tuned = tune(lambda settings: SASRecBaseline(walking(), settings, 1), small(epochs=30), 2, walking().validation)
    popular = walking().popularity[walking().test.candidates]
    by_popularity = (popular.argmax(axis=1) == walking().test.places()).mean()
    for trial in tuned.trials:
        assert trial["validation"]["hr1"] > by_popularity + 0.3, trial["changed"]
    test = tuned.system.scores(walking().test)
    assert (test.argmax(axis=1) == walking().test.places()).mean() > by_popularity + 0.3
