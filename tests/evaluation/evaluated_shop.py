"""A tiny run for tests of the evaluation and the report: tables as the stages write them, with chosen ranks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.schema import StageTime

USERS = 24
SAMPLED = 20
COUNT = 10
SPLITS = ("train", "validation", "test")


def examples() -> pd.DataFrame:
    """Ten items, each the target in turn; the last four users are not sampled."""
    rows = [
        (user, split, position, [(user + 5) % 10], (user + position) % 10, user < SAMPLED)
        for user in range(USERS)
        for position, split in enumerate(SPLITS, start=1)
    ]
    return pd.DataFrame(rows, columns=["user", "split", "position", "history", "target", "sampled"])


def candidates() -> pd.DataFrame:
    frame = examples()[["user", "split", "position"]]
    shuffled = [np.random.default_rng(row).permutation(COUNT).astype(np.int32) for row in range(len(frame))]
    return frame.assign(candidates=shuffled)


def predictions(ranks: Sequence[int], users: int = SAMPLED) -> pd.DataFrame:
    """Predictions that put the target of user u at ranks[u % len(ranks)] in validation and test."""
    merged = examples().merge(candidates(), on=["user", "split", "position"])
    merged = merged[(merged["split"] != "train") & (merged["user"] < users)]
    scores = []
    for row in merged.itertuples():
        order = [item for item in range(COUNT) if item != row.target]
        order.insert(ranks[row.user % len(ranks)] - 1, row.target)
        scores.append(np.array([-order.index(int(item)) for item in row.candidates], dtype=np.float32))
    return merged.assign(scores=scores)[["user", "split", "candidates", "scores"]]


def systems() -> dict[str, pd.DataFrame]:
    return {
        "pulse": predictions([1]),
        "slm_sft": predictions([1, 1, 1, 1, 2]),
        "sasrec": predictions([1, 2], users=USERS),
        "llm_zero_shot": predictions([4]),
        "brand_repeat": predictions([1, 3], users=USERS),
        "popularity": predictions([10], users=USERS),
    }


RECORDED = {
    "models": {"slm": "tiny"},
    "settings": {},
    "prompts": {},
    "seeds": {"run": 1},
    "versions": {"python": "3.11"},
    "stages": {"corpus": StageTime(seconds=1.5, jobs=1), "tree": StageTime(seconds=None, jobs=0)},
}


def results(**changes: object) -> DomainResults:
    given = DomainResults(
        domain="luxury",
        predictions=systems(),
        files={"sasrec": "results/luxury/baselines/sasrec/predictions.parquet"},
        examples=examples(),
        candidates=candidates(),
        statistics={"source": "synthetic", "corpus": "synthetic", "source_hash": "ab12", "users": USERS},
    )
    return replace(given, **changes)
