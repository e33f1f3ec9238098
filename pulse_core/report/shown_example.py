"""One test user to show: history, selected rationale and its runner-up, ranking."""

from dataclasses import dataclass

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.keys import KEY


@dataclass(frozen=True)
class ShownExample:
    """What is shown of one test user."""

    user_id: str
    chosen_how: str
    history: list[str]
    rationale: str
    rationale_score: float
    runner_up: str | None
    runner_up_score: float | None
    ranking: list[tuple[str, float, bool]]
    """Title, score and whether it is the target of each candidate, best first."""
    target_rank: int


def shown_example(
    examples: pd.DataFrame,
    items: pd.DataFrame,
    users: pd.DataFrame,
    selected: pd.DataFrame,
    predictions: pd.DataFrame,
) -> ShownExample:
    """The first sampled test user by user id, whatever the outcome, so as not to pick a success.

    Args:
        examples: (user, split, position, history, target, sampled); user codes rank the user ids.
        items: (item, title, ...).
        users: (user, user_id).
        selected: (user, split, position, rationale, score, runners_up: list of {node, score, rationale}).
        predictions: PULSE's (user, split, candidates, scores).

    Raises:
        InputError: no sampled test user, or the user has no selected rationale or no prediction.
    """
    tested = examples[(examples["split"] == "test") & examples["sampled"].astype(bool)].sort_values(KEY)
    if tested.empty:
        raise InputError("examples: no sampled test user to show; sample more users or relax the filter")
    example = tested.iloc[0]
    key = tuple(example[KEY])
    choice = _only(selected[(selected[KEY] == key).all(axis=1)], f"selected rationales: example {key}")
    of_user = (predictions["user"] == example["user"]) & (predictions["split"] == "test")
    ranked = _only(predictions[of_user], f"predictions: test user {example['user']}")
    titles = items.set_index("item")["title"].to_dict()
    target = int(example["target"])
    # Ties count against the model: the target comes last among equal scores.
    scored = zip(ranked["candidates"], ranked["scores"], strict=True)
    order = sorted((-float(score), int(item) == target, int(item)) for item, score in scored)
    runners_up = sorted(choice["runners_up"], key=lambda runner: -float(runner["score"]))
    return ShownExample(
        user_id=str(users.set_index("user")["user_id"][example["user"]]),
        chosen_how=f"the first of the {len(tested)} evaluated test users by id, whatever the outcome",
        history=[str(titles[int(item)]) for item in example["history"]],
        rationale=str(choice["rationale"]),
        rationale_score=float(choice["score"]),
        runner_up=str(runners_up[0]["rationale"]) if runners_up else None,
        runner_up_score=float(runners_up[0]["score"]) if runners_up else None,
        ranking=[(str(titles[item]), -minus, is_target) for minus, is_target, item in order],
        target_rank=next(place for place, (_, is_target, _) in enumerate(order, start=1) if is_target),
    )


def _only(rows: pd.DataFrame, what: str) -> pd.Series:
    if len(rows) != 1:
        raise InputError(f"{what} should have one row, it has {len(rows)}; make that file again")
    return rows.iloc[0]
