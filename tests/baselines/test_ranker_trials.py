"""The ranker's trials: the configured ranker's predictions are reused, but only for the same candidates."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pulse_core.baselines.domain import Domain, predictions
from pulse_core.baselines.ranker_trial import ConfiguredRanker, RankerTrial
from pulse_core.baselines.settings.ranker import RankerTrialsSettings
from pulse_core.baselines.tuning import candidate_figures, tune
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.evaluation.tables import predictions_table
from pulse_core.ranking.questions import Question
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet
from tests.workflow.tiny_models import save_language_model


def table(domain: Domain) -> pd.DataFrame:
    """Predictions of a ranker whose scores identify user and position."""
    rows = [
        (user, part.split, offered, user + np.arange(len(offered)) / 8)
        for part in (domain.validation, domain.test)
        for user, offered in zip(part.users.tolist(), part.candidates, strict=True)
    ]
    return predictions_table(pd.DataFrame(rows, columns=["user", "split", "candidates", "scores"])).to_pandas()


def test_the_configured_rankers_predictions_are_reused_unchanged(domain: Domain) -> None:
    stored = table(domain)
    record = {"validation_hr1": [0.5], "settings": {"epochs": 2}, "corpus": "synthetic"}
    ranker = ConfiguredRanker(RankerSettings(), stored, record, "file")
    tuned = tune(lambda _: ranker, RankerTrialsSettings(search=[{}]), 1, domain.validation)
    assert tuned.trials[0]["training"] == {"validation_hr1": [0.5]}
    reused = predictions(ranker.scores, domain).to_pandas()
    pd.testing.assert_frame_equal(reused, stored)


def test_predictions_of_other_candidates_are_refused(domain: Domain) -> None:
    stored = table(domain)
    user = int(domain.test.users[2])
    for wrong in (
        stored[(stored["user"] != user) | (stored["split"] != "test")],
        stored.assign(candidates=[row[::-1] for row in stored["candidates"]]),
    ):
        with pytest.raises(InputError, match="file: wrong candidates for user"):
            ConfiguredRanker(RankerSettings(), wrong, {}, "file").scores(domain.test)
    assert ConfiguredRanker(RankerSettings(), stored, {}, "file").fit(Checkpoint()) == {}


def test_a_trial_overrides_the_configured_ranker() -> None:
    trials = RankerTrialsSettings(search=[{}, {"learning_rate": 3e-4}])
    configured = RankerSettings(epochs=7)
    assert trials.trial(0).over(configured) == configured
    assert trials.trial(1).over(configured) == configured.model_copy(update={"learning_rate": 3e-4})


def test_questions_in_another_order_are_refused(domain: Domain, tmp_path: Path) -> None:
    save_language_model(tmp_path, ["rose", "oat"])
    questions = {"test": QuestionSet((), tuple(domain.test.places()[::-1].tolist()))}
    with pytest.raises(ValueError, match="test questions do not match these examples"):
        RankerTrial(tmp_path, RankerSettings(adapted_layers=1), questions, 1).scores(domain.test)


def test_slm_sft_beats_popularity_on_a_planted_cycle(domain: Domain, tmp_path: Path) -> None:
    """Titles form a chain of dominoes: each starts with the last one's final word, which a random model can learn."""
    titles = [f"w{item} w{(item + 1) % (domain.item_count - 1)}" for item in range(domain.item_count)]
    words = [f" w{item}" for item in range(domain.item_count)] * 9  # one token per word
    save_language_model(
        tmp_path, ["Bought, oldest first:\n- Bought next:\n-", *words], hidden_size=64, initializer_range=0.1
    )

    def question_set(split: str) -> QuestionSet:
        part = getattr(domain, split)
        questions = [
            Question((titles[history[-1]],), None, tuple(titles[item] for item in offered))
            for history, offered in zip(part.histories, part.candidates, strict=True)
        ]
        return QuestionSet(questions, part.places().tolist())

    settings = RankerSettings(
        dtype="float32", adapted_layers=None, lora_r=32, lora_alpha=32, learning_rate=1e-2, epochs=12, patience=12,
        batch_users=8, gradient_accumulation=1,
    )  # fmt: skip
    system = RankerTrial(
        tmp_path, settings, {split: question_set(split) for split in ("train", "validation", "test")}, 3
    )
    system.fit(Checkpoint())
    popularity = domain.popularity[domain.test.candidates].astype(np.float32)
    floor, reached = (
        candidate_figures(domain.test, scores)["hr1"] for scores in (popularity, system.scores(domain.test))
    )
    assert reached > floor + 0.2


def test_only_the_settings_of_one_trial_can_override_the_ranker() -> None:
    settings = RankerTrialsSettings(search=[{}, {"epochs": 7}])
    assert settings.trial(1).over(RankerSettings()).epochs == 7
    assert settings.trial(0).over(RankerSettings()) == RankerSettings()
    with pytest.raises(ValueError, match="settings of 2 trials"):
        settings.over(RankerSettings())
