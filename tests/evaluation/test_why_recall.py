"""why_recall by hand: four test purchases, two leaves each."""

import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.evaluation.why_recall import driver_patterns, normalise, why_recall

SETTINGS = EvaluationSettings(bootstrap_samples=500)
PHRASES = {"fragrance-free": ["fragrance-free", "no scent"], "organic": ["organic"], "value": ["value for money"]}
TEXTS = [  # base, leaf 1, leaf 2, selected node
    ("wants soap", "wants Fragrance‑Free soap", "wants organic soap", 1),  # true: fragrance-free, selected names it
    ("likes organic things", "likes organic oil", "all organically made", 2),  # true: organic, base and leaf 1 name it
    ("a gift", "value for  money and organic", "a gift with no scent", 1),  # true: value, selected names it
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
    found = why_recall(**tables(), settings=SETTINGS, seed=1)
    assert (found.examples, found.without_driver) == (3, 1)
    assert found.selected.value == pytest.approx(2 / 3)
    assert found.base.value == pytest.approx(1 / 3)
    assert found.random_leaf.value == pytest.approx(1 / 2)  # one of the two leaves each time
    assert found.best_leaf.value == 1.0
    # named: 0 fragrance-free, 1 nothing ("organically" is not organic), 2 value and organic; of the two others' drivers
    assert found.selected_other_driver.value == pytest.approx((0 + 0 + 1 / 2) / 3)
    assert found.selected_less_random_leaf.difference == pytest.approx(1 / 6)
    assert found.selected_less_random_leaf.verdict == "not distinguishable"


def test_order_of_rows_changes_nothing() -> None:
    mixed = {
        name: table.sample(frac=1, random_state=2) if isinstance(table, pd.DataFrame) else table
        for name, table in tables().items()
    }
    assert why_recall(**mixed, settings=SETTINGS, seed=1) == why_recall(**tables(), settings=SETTINGS, seed=1)


def test_training_and_unsampled_examples_are_left_out() -> None:
    given = tables()
    more = given["examples"].assign(split="train", position=2)
    given["examples"] = pd.concat([given["examples"].assign(sampled=[True, False, True, True]), more])
    assert why_recall(**given, settings=SETTINGS, seed=1).examples == 2


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("phrases", lambda _: {"organic": ["organic"], "value": ["value"]}, "no driver 'fragrance-free'"),
        ("phrases", lambda old: {**old, "value": [" "]}, "'value' has no phrase"),
        ("selected", lambda old: old[old["user"] != 1], r"selected: 1 examples have no rationale.*\(1, test, 4\)"),
        ("tree", lambda old: old[~((old["user"] == 2) & old["is_leaf"])], "leaves.*1 examples"),
        ("tree", lambda old: old.assign(parent=-1), "base rationale.*more than one row"),
        ("truth", lambda old: old.assign(driver=""), "no sampled test purchase has a driver"),
        ("truth", lambda old: old.drop(columns="driver"), "driver"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, change, message: str) -> None:
    given = tables()
    given[name] = change(given[name])
    with pytest.raises(InputError, match=message):
        why_recall(**given, settings=SETTINGS, seed=1)


def test_phrases_are_whole_words_whatever_case_and_hyphens() -> None:
    pattern = driver_patterns(PHRASES)["fragrance-free"]
    for text in ("A FRAGRANCE FREE lotion", "fragrance\n-free", "It has no  scent."):
        assert pattern.search(normalise(text))
    assert not pattern.search(normalise("fragrance-freed, casino scents"))
