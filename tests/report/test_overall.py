"""The overall table from hand-made ranks: figures, marks, notices, the paper's rows, and refusals."""

import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.compare import compare_all, system_result
from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.settings import EvaluationSettings
from pulse_core.report.by_place import by_place_table
from pulse_core.report.overall import full_ranking_table, overall_table
from pulse_core.report.overall_formats import full_ranking_markdown, latex, markdown, tex_text
from pulse_core.systems import FLOOR, OURS, SEQUENTIAL, System
from tests.evaluation.evaluated_shop import SAMPLED, USERS, candidates, examples, predictions

SETTINGS = EvaluationSettings(bootstrap_samples=200)
SYSTEMS = (
    System("sasrec", "SASRec", SEQUENTIAL),
    System("duorec", "Duo_Rec & 50%", SEQUENTIAL),
    System("pulse", "PULSE", OURS, rationales=True),
    System("popularity", "Popularity", FLOOR),
)
RANKS = {"pulse": [1], "sasrec": [1, 2], "duorec": [2, 1], "popularity": [10]}


def domain(name: str = "luxury", source: str = "amazon-2018", **changes: object) -> DomainResults:
    given = DomainResults(
        domain=name,
        predictions={system: predictions(ranks) for system, ranks in RANKS.items()},
        metrics={
            "sasrec": {
                "trials": [{"changed": {"loss": "ce"}}, {"changed": {"loss": "bce"}}],
                "chosen": 1,
                "full_ranking": {
                    split: {"hr1": 0.1, "hr10": value, "ndcg10": 0.2, "mrr": 0.15}
                    for split, value in {"test": 0.3, "validation": 0.4}.items()
                },
            },
            "popularity": {"trials": []},
        },
        files={"duorec": f"results/{name}/baselines/duorec/predictions.parquet"},
        examples=examples(),
        candidates=candidates(),
        statistics={"source": source, "source_hash": "ab12"},
    )
    return replace(given, **changes)


def row_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if label in line)


def test_figures_and_p_values_match_the_evaluation() -> None:
    table = overall_table([domain()], SYSTEMS, SETTINGS, 1)
    ours = table[table["source"] == "ours"].set_index("system")
    assert list(ours.index) == ["sasrec", "duorec", "pulse", "popularity", "chance"]
    assert ours["hr1"].to_dict() == pytest.approx(
        {"sasrec": 0.5, "duorec": 0.5, "pulse": 1.0, "popularity": 0.0, "chance": 0.1}
    )
    ranks = {name: np.array([cycle[user % len(cycle)] for user in range(SAMPLED)]) for name, cycle in RANKS.items()}
    expected = compare_all(ranks, 10, SETTINGS, 1)["sasrec"].hr1
    row = ours.loc["sasrec"]
    assert (row["p_value"], row["difference_low"]) == (expected.p_value, expected.low)
    assert row["p_value"] == pytest.approx(2 / 2**10) and row["difference"] == 0.5 and row["verdict"] == "better"
    assert row["p_holm"] == pytest.approx(2 * row["p_value"])  # popularity and chance have smaller p-values
    assert row["hr1_low"] == system_result(ranks["sasrec"], SETTINGS, 1).hr1.low
    assert (row["users"], row["candidates"], row["trials"], row["chosen"]) == (SAMPLED, 10, 2, '{"loss": "bce"}')
    assert ours.loc["chance", "test"] == "exact binomial" and pd.isna(ours.loc["pulse", "p_value"])


def test_the_best_is_bold_and_all_tied_for_second_are_underlined() -> None:
    table = overall_table([domain("toys")], SYSTEMS, SETTINGS, 1)
    text = markdown(table, 0.95)
    assert "**1.000**" in row_of(text, "| PULSE |")
    assert "<u>.500</u>▼ [" in row_of(text, "| SASRec |") and "<u>.500</u>▼ [" in row_of(text, "Duo_Rec")
    assert "**" not in row_of(text, "Popularity") and "<u>" not in row_of(text, "Popularity")
    equal = {**domain().predictions, "pulse": predictions([1, 2])}
    text = markdown(overall_table([domain("toys", predictions=equal)], SYSTEMS, SETTINGS, 1), 0.95)
    assert all("**.500** [" in row_of(text, name) for name in ("| PULSE |", "| SASRec |", "Duo_Rec"))
    assert "<u>" not in row_of(text, "| chance |")  # chance is not a system, although above popularity


def test_paper_figures_are_unranked_and_shown_only_for_their_corpus() -> None:
    table = overall_table([domain()], SYSTEMS, SETTINGS, 1)
    paper = table[table["source"] == "paper"]
    assert {0.5298, 0.5402, 0.103} <= set(paper.loc[paper["system"] == "sasrec", "hr1"])
    assert paper[["users", "candidates", "hr1_low", "p_value", "p_holm", "verdict"]].isna().all().all()
    text = markdown(table, 0.95)
    assert row_of(text, "| SASRec |").endswith("| .530 |")  # unmarked, although above our second best
    assert "1 of 20†" in text and "† The paper's own figures" in text
    for other in (domain(source="synthetic"), domain("pantry")):
        text = markdown(overall_table([other], SYSTEMS, SETTINGS, 1), 0.95)
        assert "†" not in text and ".530" not in text


def test_every_format_carries_the_notices() -> None:
    given = domain(source="synthetic", behaviour="oracle", engine="fake")
    table = overall_table([given, domain("games")], SYSTEMS, SETTINGS, 1)
    for text in (table.to_csv(index=False), markdown(table, 0.95), latex(table, 0.95)):
        assert all(word in text for word in ("SYNTHETIC CORPUS", "ORACLE", "FAKE RATIONALES"))
    games = table[(table["domain"] == "games") & (table["source"] == "ours")]
    assert set(games["note"]) == {""}
    # PULSE saw the answer, so it does not compete with systems that did not
    shown = markdown(overall_table([given], SYSTEMS, SETTINGS, 1), 0.95)
    assert "| 1.000‡" in row_of(shown, "| PULSE |") and "**.500** [" in row_of(shown, "| SASRec |")
    assert all(mark not in row_of(shown, system.label) for system in SYSTEMS for mark in "▼▲")
    places = by_place_table([given], SYSTEMS)
    assert set(places.loc[places["oracle"], "system"]) == {"pulse"} and places["note"].str.contains("ORACLE").all()


def test_latex_rows_are_balanced_and_escaped() -> None:
    text = latex(overall_table([domain(), domain("my_toys")], SYSTEMS, SETTINGS, 1), 0.95)
    unescaped = re.sub(r"\\[\\&%_#${}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    body = unescaped[unescaped.index(r"\toprule") : unescaped.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if "&" in line]
    assert len(rows) == 6 and {line.count("&") for line in rows} == {3}  # two domains and the paper's column
    assert r"Duo\_Rec \& 50\%" in text and r"my\_toys" in text and r"\textbf{1.000}" in text
    assert r"\underline{.500}" in text and text.isascii()
    assert "&" not in unescaped[unescaped.index(r"\end{tabular}") :]
    assert tex_text("a\\b{c}") == r"a\textbackslash{}b\{c\}"


def test_other_users_or_candidates_are_refused_with_the_file() -> None:
    fewer = predictions([1], users=SAMPLED - 1)
    foreign = predictions([1])
    foreign["candidates"] = [np.append(row[:-1], 99) for row in foreign["candidates"]]
    for wrong in (fewer, foreign):
        given = domain(predictions={**domain().predictions, "duorec": wrong})
        with pytest.raises(InputError, match=r"results/luxury/baselines/duorec/predictions\.parquet"):
            overall_table([given], SYSTEMS, SETTINGS, 1)
    missing = {name: table for name, table in domain().predictions.items() if name != "duorec"}
    with pytest.raises(InputError, match="'duorec'"):
        overall_table([domain(predictions=missing)], SYSTEMS, SETTINGS, 1)


def test_order_of_rows_and_systems_does_not_matter() -> None:
    given = domain()
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in reversed(given.predictions.items())}
    other = replace(given, predictions=shuffled, examples=given.examples.iloc[::-1])
    first, second = (overall_table([results], SYSTEMS, SETTINGS, 1) for results in (given, other))
    pd.testing.assert_frame_equal(first, second)
    again = pd.read_csv(io.StringIO(first.to_csv(index=False)))
    np.testing.assert_array_equal(again["hr1"], first["hr1"])


def test_full_ranking_lists_the_systems_that_have_one() -> None:
    table = full_ranking_table([domain(), domain("games", "synthetic")], SYSTEMS)
    assert table[["domain", "system", "split", "hr1", "hr10"]].values.tolist() == [
        [name, "sasrec", split, 0.1, value]
        for name in ("luxury", "games")
        for split, value in (("validation", 0.4), ("test", 0.3))
    ]
    assert "SYNTHETIC CORPUS" in full_ranking_markdown(table)
    assert "SYNTHETIC" not in full_ranking_markdown(table[table["domain"] == "luxury"])


def test_by_place_exposes_a_system_that_always_picks_the_first() -> None:
    place = np.arange(10)
    first, flat, last_two = (
        candidates()[["user", "split", "candidates"]].assign(scores=[scores.astype(np.float32)] * 3 * USERS)
        for scores in (-place, 0 * place, place // 8)
    )
    backwards = first.assign(**{name: first[name].map(lambda row: row[::-1]) for name in ("candidates", "scores")})
    given = {"first": first, "backwards": backwards, "flat": flat, "last_two": last_two}
    systems = [System(name, name, FLOOR) for name in given]
    table = by_place_table([domain(predictions=given)], systems).set_index(["system", "place"])
    assert table.loc["first"].equals(table.loc["backwards"].assign(label="first"))
    assert table.loc["first", "chosen"].tolist() == [1.0] + [0.0] * 9
    taken = table.loc["first"].query("users > 0")
    assert taken["hr1"].tolist() == [float(at == 1) for at in taken.index] and 1 in taken.index
    assert table.loc["first", "users"].sum() == SAMPLED
    assert table.loc["flat", "chosen"].tolist() == pytest.approx([0.1] * 10) and not table.loc["flat", "hr1"].max() > 0
    assert table.loc["last_two", "chosen"].tolist() == [0.0] * 8 + [0.5] * 2
