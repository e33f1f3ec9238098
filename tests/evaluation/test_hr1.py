"""hr1.json of a tiny run: figures by hand, schema, notices and refused input."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.hr1 import assemble
from pulse_core.evaluation.schema import Hr1, hr1_schema
from pulse_core.evaluation.settings import EvaluationSettings
from tests.evaluation.evaluated_shop import (
    RECORDED,
    SAMPLED,
    USERS,
    candidates,
    examples,
    predictions,
    results,
    systems,
)

SETTINGS = EvaluationSettings(bootstrap_samples=500)


def assembled(seed: int = 1, recorded: dict = RECORDED, **changes: object) -> dict:
    return assemble(results(**changes), "leave_one_out", "uniform", recorded, SETTINGS, seed)


def test_figures_by_hand() -> None:
    report = assembled()
    values = {name: system["hr1"]["value"] for name, system in report["systems"].items()}
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
    assert report["hr1"] == report["systems"]["pulse"]["hr1"]
    assert report["systems"]["brand_repeat"]["mrr"]["value"] == pytest.approx((1 + 1 / 3) / 2)
    assert report["systems"]["brand_repeat"]["ndcg10"]["value"] == pytest.approx((1 + 1 / 2) / 2)
    assert report["systems"]["llm_zero_shot"]["users"] == SAMPLED
    assert report["sasrec_all_users"]["users"] == USERS and report["sasrec_all_users"]["hr1"]["value"] == 0.5
    sasrec = report["comparisons"]["sasrec"]["hr1"]
    assert (sasrec["pulse_only"], sasrec["other_only"], sasrec["difference"]) == (10, 0, 0.5)
    assert sasrec["p_value"] == pytest.approx(2 / 2**10) and sasrec["verdict"] == "better"
    assert report["comparisons"]["slm_sft"]["hr1"]["p_value"] == pytest.approx(2 / 2**4)
    assert report["comparisons"]["slm_sft"]["hr1"]["verdict"] == "not distinguishable"
    assert "not distinguishable from SLM + SFT at 95%" in report["comparisons"]["slm_sft"]["sentence"]
    assert report["comparisons"]["chance"]["hr1"]["test"] == "exact binomial"
    assert set(report["comparisons"]) == set(report["systems"]) - {"pulse"} == set(report["validation"]) - {"pulse"}
    assert all(other["hr1"]["p_holm"] >= other["hr1"]["p_value"] for other in report["comparisons"].values())
    assert report["total_seconds"] == 1.5


def test_a_worse_result_is_called_worse() -> None:
    predicted = {**systems(), "pulse": predictions([5])}
    comparison = assembled(predictions=predicted)["comparisons"]["sasrec"]
    assert comparison["hr1"]["verdict"] == "worse" and comparison["sentence"].startswith("PULSE is worse than SASRec")


def test_schema_accepts_the_report_and_requires_its_keys() -> None:
    report = json.loads(json.dumps(assembled()))  # as in the file: no NaN, no numpy
    jsonschema.Draft202012Validator.check_schema(hr1_schema())
    jsonschema.validate(report, hr1_schema())
    assert Hr1.model_validate(report).model_dump(mode="json") == report
    for key in ("systems", "corpus_hash", "versions", "protocol", "seeds"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in report.items() if name != key}, hr1_schema())


def test_row_order_and_further_systems_change_nothing() -> None:
    def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sample(frac=1, random_state=5)

    def reversed_lists(frame: pd.DataFrame) -> pd.DataFrame:
        """Reverse each candidate list and its scores."""
        return frame.assign(**{key: [np.asarray(row)[::-1] for row in frame[key]] for key in ("candidates", "scores")})

    plain = assembled()
    predicted = {name: shuffled(reversed_lists(frame)) for name, frame in systems().items()}
    assert assembled(predictions=predicted, examples=shuffled(examples()), candidates=shuffled(candidates())) == plain
    more = assembled(predictions={**systems(), "sbert": predictions([2])})
    assert {name: more["systems"][name] for name in plain["systems"]} == plain["systems"]
    assert more["comparisons"]["sbert"]["hr1"]["verdict"] == "better"


def test_the_notice_names_synthetic_data_fake_rationales_and_the_oracle() -> None:
    report = assembled(behaviour="oracle", engine="fake")
    assert report["corpus"] == "synthetic" and report["notice"].startswith("SYNTHETIC") and "ORACLE" in report["notice"]
    assert "FAKE RATIONALES" in report["notice"] and report["protocol"]["engine"] == "fake"
    assert report["protocol"]["oracle"] and report["systems"]["pulse"]["oracle"]
    assert not report["systems"]["slm_sft"]["oracle"]
    real = assembled(statistics={"source": "amazon-2018", "source_hash": "cd"})
    assert (real["corpus"], real["notice"], real["protocol"]["oracle"]) == ("amazon-2018", None, False)


def test_missing_users_are_refused_naming_the_file() -> None:
    predicted = systems()
    predicted["sasrec"] = predicted["sasrec"][predicted["sasrec"]["user"] != 3]
    with pytest.raises(InputError, match=r"baselines/sasrec/predictions.parquet: 1 of the 20 validation users.*user 3"):
        assembled(predictions=predicted)


def test_mismatched_candidates_are_refused_naming_the_file() -> None:
    predicted = systems()
    lists = list(predicted["sasrec"]["candidates"])
    lists[-1] = np.where(lists[-1] == 0, 77, lists[-1])  # the last row: test of user 23, who is not sampled
    predicted["sasrec"] = predicted["sasrec"].assign(candidates=lists)
    with pytest.raises(InputError, match=r"sasrec/predictions.parquet: the test candidates of user 23"):
        assembled(predictions=predicted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": {"pulse": predictions([1])}}, "predictions of 'slm_sft' are missing"),
        ({"examples": examples().assign(sampled=False)}, "no sampled user"),
        (
            {"candidates": candidates().assign(candidates=[range(1 + row % 2) for row in range(72)])},
            "candidates: user .* where others have",
        ),
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
def test_inconsistent_inputs_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        assembled(**change)
