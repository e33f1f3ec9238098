"""why_recall by hand: four test purchases with two leaves each."""

import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.why_recall import driver_patterns, normalise, why_recall

SETTINGS = EvaluationSettings(bootstrap_samples=500)
PHRASES = {"fragrance-free": ["fragrance-free", "no scent"], "organic": ["organic"], "value": ["value for money"]}
TEXTS = [  # base, leaf 1, leaf 2, selected node
    ("wants soap", "wants Fragrance‑Free soap", "wants organic soap", 1),  # driver fragrance-free, in selected
    ("likes organic things", "likes organic oil", "all organically made", 2),  # driver organic, in base and leaf 1
    ("a gift", "value for  money and organic", "a gift with no scent", 1),  # driver value, in selected
    ("x", "y", "z", 1),  # no driver planted
]
DRIVERS = ["fragrance-free", "organic", "value", None]


def tables() -> dict:
    key = {"split": "test", "position": 4}
    nodes = [
        {**key, "user": user, "node": node, "parent": 0 if node else -1, "rationale": text, "is_leaf": node > 0}
        for user, row in enumerate(TEXTS)
        for node, text in enumerate(row[:3])
    ]
    selected = [{**key, "user": user, "rationale": row[row[3]], "node": row[3]} for user, row in enumerate(TEXTS)]
    return {
        "selected": pd.DataFrame(selected),
        "tree": pd.DataFrame(nodes),
        "examples": pd.DataFrame([{**key, "user": user, "target": user % 2, "sampled": True} for user in range(4)]),
        "truth": pd.DataFrame(
            [{"user_id": f"U{user}", "item_id": f"I{user % 2}", "driver": name} for user, name in enumerate(DRIVERS)]
            + [{"user_id": "U0", "item_id": "I1", "driver": "organic"}]  # another purchase of the same user
        ),
        "phrases": PHRASES,
        "users": pd.DataFrame({"user": range(4), "user_id": [f"U{user}" for user in range(4)]}),
        "items": pd.DataFrame({"item": range(2), "item_id": ["I0", "I1"]}),
    }


def test_by_hand() -> None:
    result = why_recall(**tables(), settings=SETTINGS, seed=1)
    assert (result.examples, result.without_driver) == (3, 1)
    assert result.selected.value == pytest.approx(2 / 3)
    assert result.base.value == pytest.approx(1 / 3)
    assert result.random_leaf.value == pytest.approx(1 / 2)  # one of the two leaves per user
    assert result.best_leaf.value == 1.0
    # Share of the two other drivers that the selected node names: only user 2's names one, "organic".
    # User 1's "organically" does not count.
    assert result.selected_other_driver.value == pytest.approx((0 + 0 + 1 / 2) / 3)
    assert result.selected_less_random_leaf.difference == pytest.approx(1 / 6)
    assert result.selected_less_random_leaf.verdict == "not distinguishable"


def test_row_order_changes_nothing() -> None:
    shuffled = {
        name: table.sample(frac=1, random_state=2) if isinstance(table, pd.DataFrame) else table
        for name, table in tables().items()
    }
    assert why_recall(**shuffled, settings=SETTINGS, seed=1) == why_recall(**tables(), settings=SETTINGS, seed=1)


def test_training_and_unsampled_examples_are_left_out() -> None:
    inputs = tables()
    more = inputs["examples"].assign(split="train", position=2)
    inputs["examples"] = pd.concat([inputs["examples"].assign(sampled=[True, False, True, True]), more])
    assert why_recall(**inputs, settings=SETTINGS, seed=1).examples == 2


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("selected", lambda old: old[old["user"] != 1], "selected: each .* should have one rationale"),
        ("tree", lambda old: old[~((old["user"] == 2) & old["is_leaf"])], "leaves.*a rationale"),
        ("tree", lambda old: old.assign(parent=-1), "base rationale.*one rationale"),
        ("truth", lambda old: old.assign(driver=""), "no sampled test purchase has a driver"),
    ],
)
def test_inconsistent_inputs_are_refused(name: str, change, message: str) -> None:
    inputs = tables()
    inputs[name] = change(inputs[name])
    with pytest.raises(InputError, match=message):
        why_recall(**inputs, settings=SETTINGS, seed=1)


def test_phrases_match_whole_words_ignoring_case_and_hyphens() -> None:
    pattern = driver_patterns(PHRASES)["fragrance-free"]
    for text in ("A FRAGRANCE FREE lotion", "fragrance\n-free", "It has no  scent."):
        assert pattern.search(normalise(text))
    assert not pattern.search(normalise("fragrance-freed, casino scents"))
