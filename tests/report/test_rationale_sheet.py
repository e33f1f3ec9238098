"""The sheet for reading rationales: what it samples and how it shows it."""

import pandas as pd

from pulse_core.report.rationale_sheet import rationale_sheet, sample_rows

ITEMS = pd.DataFrame({"item": [0, 1], "title": ["Rose soap", "Mint tea"]})


def rationales(users: int) -> pd.DataFrame:
    rows = [(user, "test", 3, 0, f"reason of {user}\nin two lines") for user in range(users)]
    return pd.DataFrame(rows, columns=["user", "split", "position", "node", "rationale"])


def examples(users: int) -> pd.DataFrame:
    return rationales(users).drop(columns=["node", "rationale"]).assign(history=[[1, 0]] * users, target=1)


def test_the_sample_depends_only_on_keys() -> None:
    drawn = sample_rows(rationales(50), 5, seed=1)
    mixed = sample_rows(rationales(50).sample(frac=1, random_state=0), 5, seed=1)
    assert drawn["user"].tolist() == mixed["user"].tolist() and len(drawn) == 5
    assert drawn["user"].tolist() != sample_rows(rationales(50), 5, seed=2)["user"].tolist()
    more = sample_rows(rationales(60), 60, seed=1)["user"]
    assert more[more < 50].tolist() == sample_rows(rationales(50), 50, seed=1)["user"].tolist()


def test_sheet_shows_texts_unaltered() -> None:
    sheet = rationale_sheet(rationales(2), examples(2), ITEMS, 10, seed=1, heading="Rationales")
    assert "2 of 2, drawn by seed 1" in sheet and sheet.count("History: Mint tea | Rose soap") == 2
    assert "> reason of 0\n> in two lines" in sheet and "Target: Mint tea" in sheet
