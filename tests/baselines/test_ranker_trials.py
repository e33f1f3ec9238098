"""The ranker's trials: the configured one is taken as it is, and only if it ranked the same candidates."""

import numpy as np
import pandas as pd
import pytest

from pulse_core.baselines.domain import Domain
from pulse_core.baselines.ranker_trials import Configured
from pulse_core.baselines.settings.ranker_trials import RankerTrialsSettings
from pulse_core.baselines.tuning import predictions, tune
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.evaluation.tables import predictions_table
from pulse_core.ranking.settings import RankerSettings


def table(domain: Domain) -> pd.DataFrame:
    """Predictions of a ranker whose scores tell user and place apart."""
    rows = [
        (user, part.split, offered, user + np.arange(len(offered)) / 8)
        for part in (domain.validation, domain.test)
        for user, offered in zip(part.users.tolist(), part.candidates, strict=True)
    ]
    return predictions_table(pd.DataFrame(rows, columns=["user", "split", "candidates", "scores"])).to_pandas()


def test_the_configured_rankers_predictions_are_taken_as_they_are(domain: Domain) -> None:
    given = table(domain)
    record = {"validation_hr1": [0.5], "settings": {"epochs": 2}, "corpus": "synthetic"}
    ranker = Configured(RankerSettings(), given, record, "file")
    tuned = tune(lambda _: ranker, RankerTrialsSettings(search=[{}]), 1, domain.validation)
    assert tuned.trials[0].training == {"validation_hr1": [0.5]}
    found = predictions(ranker, domain.validation, domain.test).to_pandas()
    pd.testing.assert_frame_equal(found, given)


def test_predictions_of_other_candidates_are_refused(domain: Domain) -> None:
    given = table(domain)
    user = int(domain.test.users[2])
    for wrong in (
        given[(given["user"] != user) | (given["split"] != "test")],
        given.assign(candidates=[each[::-1] for each in given["candidates"]]),
    ):
        with pytest.raises(InputError, match="file: not of the candidates of user"):
            Configured(RankerSettings(), wrong, {}, "file").scores(domain.test)
    assert Configured(RankerSettings(), given, {}, "file").fit(Checkpoint()) == {}


def test_a_trial_is_laid_over_the_configured_ranker() -> None:
    trials = RankerTrialsSettings(search=[{}, {"learning_rate": 3e-4}])
    own = RankerSettings(epochs=7)
    assert trials.trial(0).over(own) == own
    assert trials.trial(1).over(own) == own.model_copy(update={"learning_rate": 3e-4})
