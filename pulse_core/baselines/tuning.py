"""Validation trials of a system and the artifacts of the best one."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors.torch import save_file

from pulse_core.artifacts import whole_file, write_json, write_table
from pulse_core.baselines.domain import Domain, Examples, Recommender, predictions
from pulse_core.baselines.settings.tuned import TunedSettings
from pulse_core.checkpoints import Checkpoint
from pulse_core.errors import InputError
from pulse_core.evaluation.metrics import target_ranks
from pulse_core.rank_metrics import hit_at_1, ndcg_at_10, reciprocal_rank
from pulse_core.sequence.states import ranking_metrics

log = logging.getLogger("pulse")
S = TypeVar("S", bound=TunedSettings)


def candidate_figures(examples: Examples, scores: np.ndarray) -> dict[str, float]:
    """Mean HR@1, NDCG@10 and MRR among the candidates; ties count against the model."""
    ranks = target_ranks(examples.candidates, scores, examples.targets)
    metrics = {"hr1": hit_at_1(ranks), "ndcg10": ndcg_at_10(ranks), "mrr": reciprocal_rank(ranks)}
    return {name: float(values.mean()) for name, values in metrics.items()}


@dataclass
class Tuned:
    """The best trial's recommender, and all trials."""

    system: Recommender
    chosen: int
    trials: list[dict[str, Any]]  # of each: changed settings, validation figures, training record


def tune(
    make: Callable[[S], Recommender],
    settings: S,
    trials: int,
    validation: Examples,
    work: Path | None = None,
    code: str = "",
    model: Path | None = None,
) -> Tuned:
    """Fit the first `trials` settings; keep the best by validation HR@1, then NDCG@10, then the earliest.

    Trials that a killed run finished in `work`, this system's working directory, are not repeated; `code` and `model`
    are as for `Checkpoint`. An InputError raised in a trial names the trial and its changes.
    """
    best: Recommender | None = None
    finished: list[dict[str, Any]] = []
    chosen, best_merit = 0, (0.0, 0.0)
    for number, changed in enumerate(settings.search[:trials]):
        directory = work / f"trial-{number + 1}" if work else None
        try:
            system = make(settings.trial(number))
            training = system.fit(Checkpoint(directory, code, model))
        except InputError as error:
            raise InputError(f"search[{number}] = {changed}: {error}") from error
        figures = candidate_figures(validation, system.scores(validation))
        log.info("trial %d of %d %s: validation HR@1 %.4f", number + 1, trials, changed, figures["hr1"])
        finished.append({"changed": changed, "validation": figures, "training": training})
        merit = figures["hr1"], figures["ndcg10"]
        if best is None or merit > best_merit:
            best, best_merit, chosen = system, merit, number
        del system  # free a rejected system before the next one is made
    assert best is not None
    return Tuned(best, chosen, finished)


def write_tuned(name: str, tuned: Tuned, domain: Domain, seed: int, out: Path) -> None:
    """Write predictions.parquet (validation and test), metrics.json and, if it has tensors, model.safetensors."""
    system = tuned.system
    metrics: dict[str, Any] = {
        "system": name,
        "seed": seed,
        "settings": system.settings.model_dump(exclude={"search"}),
        "trials": tuned.trials,
        "chosen": tuned.chosen,
    }
    for part in (domain.validation, domain.test):
        if (ranks := system.full_ranks(part)) is not None:
            metrics.setdefault("full_ranking", {})[part.split] = ranking_metrics(ranks)
        if figures := system.further_figures(part):
            metrics.setdefault("further", {})[part.split] = figures
    if tensors := system.tensors():
        with whole_file(out / "model.safetensors") as partial:
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, partial)
    write_table(out / "predictions.parquet", predictions(system.scores, domain))
    write_json(out / "metrics.json", metrics)
