"""The printed summary of a small hand-made result."""

import numpy as np
import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import all_results, compare_all
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.report.summary import ShownExample, render, shown_example

FILES = {"results/luxury/hr1.json": "every figure"}
SETTINGS = EvaluationSettings(bootstrap_samples=200)
RANKS = {"popularity": [10, 9], "sasrec": [1, 2], "pulse": [1, 1], "slm_sft": [1, 3], "sbert": [1, 2]}


def result(notice: str | None) -> dict:
    ranks = {name: np.array(pair * 10) for name, pair in RANKS.items()}
    systems = all_results(ranks, 10, SETTINGS, 1, oracle=["sbert"])
    comparisons = compare_all(ranks, 10, SETTINGS, 1)
    return {
        "domain": "luxury",
        "corpus": "synthetic" if notice else "amazon-2018",
        "notice": notice,
        "protocol": {"candidate_count": 10, "candidate_strategy": "uniform", "confidence": 0.95},
        "systems": {name: system.model_dump(mode="json") for name, system in systems.items()},
        "comparisons": {name: other.model_dump(mode="json") for name, other in comparisons.items()},
        "why_recall": None,
    }


def tables() -> dict[str, pd.DataFrame]:
    runners = [{"node": 3, "score": 0.2, "rationale": "worse"}, {"node": 2, "score": 0.4, "rationale": "second best"}]
    examples = pd.DataFrame(
        {
            "user": [2, 1, 0, 1],
            "split": ["test", "test", "test", "validation"],
            "position": [4, 4, 4, 3],
            "history": [[0], [2, 0], [1], [2]],
            "target": [1, 1, 0, 0],
            "sampled": [True, True, False, True],
        }
    )
    key = examples[["user", "split", "position"]]
    return {
        "examples": examples,
        "items": pd.DataFrame({"item": range(4), "title": ["Rose [soap]", "Mint tea", "Balm", "Jar"]}),
        "users": pd.DataFrame({"user": range(3), "user_id": ["A", "B", "C"]}),
        "selected": key.assign(rationale="wants mint", node=1, score=0.5, runners_up=[runners] * 4),
        "predictions": key.assign(candidates=[[3, 1, 0]] * 4, scores=[[2.0, 1.0, 1.0]] * 4),
    }


def test_shown_user_is_the_first_sampled_and_ties_count_against_the_target() -> None:
    shown = shown_example(**tables())
    assert shown.user_id == "B" and "first of the 2" in shown.chosen_how
    assert shown.history == ["Balm", "Rose [soap]"]
    assert shown.rationales == [("wants mint", 0.5), ("second best", 0.4)]
    assert [(title, is_target) for title, _, is_target in shown.ranking] == [
        ("Jar", False),
        ("Rose [soap]", False),
        ("Mint tea", True),
    ]
    assert shown_example(**{name: frame.iloc[::-1] for name, frame in tables().items()}) == shown


def test_a_single_leaf_has_no_runner_up() -> None:
    given = tables()
    given["selected"] = given["selected"].assign(runners_up=[[]] * 4)
    assert shown_example(**given).rationales == [("wants mint", 0.5)]


def test_nothing_to_show_is_refused() -> None:
    given = tables()
    with pytest.raises(InputError, match="no sampled test user"):
        shown_example(**{**given, "examples": given["examples"].iloc[:0]})


def test_summary_says_everything_in_order() -> None:
    shown: ShownExample = shown_example(**tables())
    text = render(result("SYNTHETIC CORPUS: not Amazon"), shown, FILES)
    assert text == render(result("SYNTHETIC CORPUS: not Amazon"), shown, FILES)
    assert max(map(len, text.splitlines())) <= 100
    places = [
        text.index(part)
        for part in (
            *("SYNTHETIC CORPUS", "PULSE  ", "SLM + SFT", "SASRec", "popularity", "chance"),
            *("sbert (ORACLE)", "PULSE is better than SASRec", "One user, B", "Rose [soap]", "wants mint"),
            *("second best", "came 3rd", "bought >>", "results/luxury/hr1.json"),
        )
    ]
    assert places == sorted(places)


def test_real_corpora_carry_no_notice() -> None:
    text = render(result(None))
    assert "SYNTHETIC" not in text and "corpus: amazon-2018" in text and "Where to look" not in text
