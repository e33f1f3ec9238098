"""hr1.json of a tiny run: figures by hand, schema, marks, and what is refused."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.hr1 import assemble
from pulse_core.evaluation.schema import Hr1, hr1_schema
from pulse_core.evaluation.settings import EvaluationSettings
from tests.evaluation.evaluated_shop import SAMPLED, USERS, candidates, context, examples, predictions, systems

SETTINGS = EvaluationSettings(bootstrap_samples=500)


def assembled(**changes: object) -> dict:
    given: dict = {
        "predictions": systems(),
        "examples": examples(),
        "candidates": candidates(),
        "context": context(),
        "settings": SETTINGS,
        "seed": 1,
    }
    return assemble(**{**given, **changes})


def test_figures_by_hand() -> None:
    found = assembled()
    values = {name: system["hr1"]["value"] for name, system in found["systems"].items()}
    assert values == pytest.approx(
        {
            "pulse": 1,
            "slm_sft": 0.8,
            "sasrec": 0.5,
            "llm_zero_shot": 0,
            "brand_repeat": 0.5,
            "popularity": 0,
            "chance": 0.1,
        }
    )
    assert found["hr1"] == found["systems"]["pulse"]["hr1"]
    assert found["systems"]["brand_repeat"]["mrr"]["value"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["systems"]["brand_repeat"]["ndcg10"]["value"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["systems"]["llm_zero_shot"]["users"] == SAMPLED
    assert found["sasrec_all_users"]["users"] == USERS and found["sasrec_all_users"]["hr1"]["value"] == 0.5
    sasrec = found["comparisons"]["sasrec"]["hr1"]
    assert (sasrec["pulse_only"], sasrec["other_only"], sasrec["difference"]) == (10, 0, 0.5)
    assert sasrec["p_value"] == pytest.approx(2 / 2**10) and sasrec["verdict"] == "better"
    assert found["comparisons"]["slm_sft"]["hr1"]["p_value"] == pytest.approx(2 / 2**4)
    assert found["comparisons"]["slm_sft"]["hr1"]["verdict"] == "not distinguishable"
    assert "not distinguishable from SLM + SFT at 95%" in found["comparisons"]["slm_sft"]["sentence"]
    assert found["comparisons"]["chance"]["hr1"]["test"] == "exact binomial"
    assert set(found["comparisons"]) == set(found["systems"]) - {"pulse"} == set(found["validation"]) - {"pulse"}
    assert all(each["hr1"]["p_holm"] >= each["hr1"]["p_value"] for each in found["comparisons"].values())
    assert found["total_seconds"] == 1.5


def test_worse_is_said_too() -> None:
    given = {**systems(), "pulse": predictions([5])}
    comparison = assembled(predictions=given)["comparisons"]["sasrec"]
    assert comparison["hr1"]["verdict"] == "worse" and comparison["sentence"].startswith("PULSE is worse than SASRec")


def test_schema_accepts_it_and_refuses_less() -> None:
    found = json.loads(json.dumps(assembled()))  # as it stands in the file: no NaN, no numpy
    jsonschema.Draft202012Validator.check_schema(hr1_schema())
    jsonschema.validate(found, hr1_schema())
    assert Hr1.model_validate(found).model_dump(mode="json") == found
    for key in ("systems", "corpus_hash", "versions", "protocol", "seeds"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in found.items() if name != key}, hr1_schema())


def test_order_of_rows_and_more_systems_change_nothing() -> None:
    def mixed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sample(frac=1, random_state=5)

    def turned(frame: pd.DataFrame) -> pd.DataFrame:
        """Each list of candidates the other way round, with its scores."""
        return frame.assign(**{key: [np.asarray(row)[::-1] for row in frame[key]] for key in ("candidates", "scores")})

    plain = assembled()
    given = {name: mixed(turned(frame)) for name, frame in systems().items()}
    assert assembled(predictions=given, examples=mixed(examples()), candidates=mixed(candidates())) == plain
    more = assembled(predictions={**systems(), "sbert": predictions([2])})
    assert {name: more["systems"][name] for name in plain["systems"]} == plain["systems"]
    assert more["comparisons"]["sbert"]["hr1"]["verdict"] == "better"


def test_synthetic_and_oracle_are_said_loudly() -> None:
    found = assembled(context=context(behaviour="oracle", engine="fake"))
    assert found["corpus"] == "synthetic" and found["notice"].startswith("SYNTHETIC") and "ORACLE" in found["notice"]
    assert "FAKE RATIONALES" in found["notice"] and found["protocol"]["engine"] == "fake"
    assert found["protocol"]["oracle"] and found["systems"]["pulse"]["oracle"]
    assert not found["systems"]["slm_sft"]["oracle"]
    real = assembled(context=context(statistics={"source": "amazon-2018", "source_hash": "cd"}))
    assert (real["corpus"], real["notice"], real["protocol"]["oracle"]) == ("amazon-2018", None, False)


def test_missing_users_are_refused_naming_the_file() -> None:
    given = systems()
    given["sasrec"] = given["sasrec"][given["sasrec"]["user"] != 3]
    with pytest.raises(InputError, match=r"baselines/sasrec/predictions.parquet: 1 of the 20 validation users.*user 3"):
        assembled(predictions=given)


def test_other_candidates_are_refused_naming_the_file() -> None:
    given = systems()
    lists = list(given["sasrec"]["candidates"])
    lists[-1] = np.where(lists[-1] == 0, 77, lists[-1])  # the last row: test of user 23, who is not sampled
    given["sasrec"] = given["sasrec"].assign(candidates=lists)
    with pytest.raises(InputError, match=r"sasrec/predictions.parquet: the test candidates of user 23"):
        assembled(predictions=given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": {"pulse": predictions([1])}}, r"predictions of \['slm_sft', 'sasrec'"),
        ({"examples": examples().assign(sampled=False)}, "no sampled user"),
        ({"context": context(statistics={"source": "x"})}, "source_hash"),
        ({"context": context(behaviour="both")}, "behaviour should be"),
        ({"candidates": candidates().assign(candidates=[range(1 + row % 2) for row in range(72)])}, "one size"),
        ({"predictions": {**systems(), "pulse": predictions([1]).drop(columns="scores")}}, "pulse: columns"),
        ({"predictions": {**systems(), "pulse": pd.concat([predictions([1])] * 2)}}, "more than one validation row"),
        (
            {"predictions": {**systems(), "pulse": predictions([1]).assign(scores=[[np.nan] * 10] * 40)}},
            "pulse, split validation.*NaN",
        ),
        (
            {"predictions": {**systems(), "pulse": predictions([1]).assign(scores=[[0.0] * 10] * 39 + [[0.0] * 9])}},
            "pulse: user 19 has 9 scores",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        assembled(**change)
