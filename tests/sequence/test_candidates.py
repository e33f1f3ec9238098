"""Candidates: new to the user, distinct titles, uniformly drawn, independent of other examples."""

import numpy as np
import pandas as pd
import pytest

from pulse_core.errors import InputError
from pulse_core.sequence.candidates import draw_candidates, run_candidates, title_groups
from pulse_core.sequence.settings import CandidateSettings

TITLES = [f"Item {number}" for number in range(60)]


def draw(count: int, items: int, touched: list[int], examples: int, titles: list[str] | None = None) -> np.ndarray:
    seeds = np.arange(examples, dtype=np.uint64) << np.uint64(32)
    groups = title_groups(titles or [str(item) for item in range(items)])
    return draw_candidates(np.full(examples, touched[0]), [np.array(touched)] * examples, seeds, groups, count)


def test_the_target_is_the_only_candidate_the_user_bought(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str]
) -> None:
    table = run_candidates(interactions, examples, user_ids, TITLES, CandidateSettings(), 7).to_pandas()
    assert len(table) == len(examples)
    for row, target in zip(table.itertuples(), examples["target"], strict=True):
        touched = set(interactions.loc[interactions["user"] == row.user, "item"])
        assert set(row.candidates) & touched == {target}
        assert len(set(row.candidates)) == 10


def test_other_users_and_examples_change_nothing(
    interactions: pd.DataFrame, examples: pd.DataFrame, user_ids: list[str]
) -> None:
    whole = run_candidates(interactions, examples, user_ids, TITLES, CandidateSettings(), 7).to_pandas()
    few = examples[examples["user"].isin([4, 50])]
    alone = run_candidates(interactions, few, user_ids, TITLES, CandidateSettings(), 7).to_pandas()
    expected = whole[whole["user"].isin([4, 50])].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected)
    other = run_candidates(interactions, few, user_ids, TITLES, CandidateSettings(), 8).to_pandas()
    assert not other["candidates"].map(list).equals(alone["candidates"].map(list))


@pytest.mark.parametrize("items", [13, 400])
def test_uniform_over_items_and_places(items: int) -> None:
    drawn = draw(10, items, [0, 1, 2], 4000)
    places = np.bincount((drawn == 0).argmax(axis=1), minlength=10)
    assert np.abs(places - 400).max() < 5 * np.sqrt(400)
    counts = np.bincount(drawn.ravel(), minlength=items)
    assert counts[0] == 4000 and not counts[1:3].any()
    expected = 4000 * 9 / (items - 3)
    assert np.abs(counts[3:] - expected).max() < 5 * np.sqrt(expected)


def test_titles_differ_in_more_than_case_and_space() -> None:
    titles = ["Rose  Oil", "rose oil ", "Balm", "BALM", *(str(item) for item in range(4, 13))]
    drawn = draw(10, len(titles), [0], 200, titles)
    assert not (drawn == 1).any()
    assert not ((drawn == 2).any(axis=1) & (drawn == 3).any(axis=1)).any()
    assert (drawn == 2).any() and (drawn == 3).any()


def test_too_few_items_names_the_key() -> None:
    with pytest.raises(InputError, match=r"candidates.count = 10 needs 9 .* only 7"):
        draw(10, 10, [0, 1, 2], 3)


def test_advice_that_cannot_help_is_not_given() -> None:
    """Two candidates are the minimum, and items with the same title count once."""
    seeds = np.array([1], dtype=np.uint64)
    for titles, count, message in [
        (
            ["Same"] * 30,
            10,
            r"only 0 in .*30 items with 1 distinct titles\): give .* more distinct titles$",
        ),
        (["Same"] * 30, 2, r"only 0 in .*\): give .* more distinct titles$"),
        (["A", "B", "C", "D"], 5, r"only 3 in the catalogue: lower candidates\.count to 4 or give .* more items$"),
    ]:
        with pytest.raises(InputError, match=message):
            draw_candidates(np.array([0]), [np.array([0])], seeds, title_groups(titles), count)


def test_hard_candidates_come_from_the_ranking() -> None:
    seeds = np.array([1, 2], dtype=np.uint64)
    ranking = np.array([np.arange(20), np.arange(20, 40)])
    targets, touched = np.array([3, 50]), [np.array([3, 4]), np.array([50, 20])]
    drawn = draw_candidates(targets, touched, seeds, np.arange(60), 10, ranking)
    for row in range(2):
        others = set(drawn[row]) - {targets[row]}
        assert len(others) == 9 and others <= set(ranking[row]) - set(touched[row])
    with pytest.raises(InputError, match="hard_depth"):
        draw_candidates(targets, touched, seeds, np.arange(60), 10, ranking[:, :9])
