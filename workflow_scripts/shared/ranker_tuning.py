"""Shared by baseline_pulse and baseline_slm_sft: trials of the ranker with or without rationales."""

from pathlib import Path
from typing import Any

import pandas as pd

from pulse_core.artifacts import read_json
from pulse_core.baselines.domain import Recommender
from pulse_core.baselines.ranker_trial import ConfiguredRanker, RankerTrial
from pulse_core.baselines.settings.ranker import RankerTrialsSettings
from pulse_core.ranking.settings import RankerSettings
from workflow_scripts.shared.baseline_io import run_tuned
from workflow_scripts.shared.domains import domain_of
from workflow_scripts.shared.ranker_io import read_split


def run_ranker_trials(job: Any) -> None:
    """Run the trials, all with the configured ranker's seed, and write the best."""
    ranker = RankerSettings.model_validate(job.params.ranker)
    model = Path(job.input.slm).parent

    def make(trial: RankerTrialsSettings) -> Recommender:
        settings = trial.over(ranker)
        if not trial.changed:
            predictions = pd.read_parquet(job.input.configured)
            return ConfiguredRanker(settings, predictions, read_json(job.input.record), job.input.configured)
        question_sets = {
            name: read_split(job, name, settings, job.input.get("rationales")).question_set
            for name in ("train", "validation", "test")
        }
        return RankerTrial(model, settings, question_sets, job.params.seed)

    trials = RankerTrialsSettings.model_validate(job.params.settings)
    trials.require_different_over(ranker)
    run_tuned(job, domain_of(job, sampled=True), make, trials, model, job.params.seed)
