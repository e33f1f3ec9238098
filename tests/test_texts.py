"""Histories and behaviour as text: what they contain and what they must not."""

from pulse_core.texts import behaviour_text, brief, distinct_titles, history_lines, shorten
from tests.rationales.shop import make_shop


def test_titles_lose_sizes_and_counts() -> None:
    assert brief("Rose Hand Cream for Dry Hands, 3.4 oz, Pack of 2", 40) == "Rose Hand Cream for Dry Hands"
    assert brief("Soap, 2 oz", 40) == "Soap, 2 oz", "a short head would not identify the item"
    assert brief("word " * 20, 12) == "word word"


def test_shorten_cuts_at_words_and_never_exceeds() -> None:
    assert shorten("one two three", 8) == "one two"
    assert shorten("onetwothree", 5) == "onetw"
    assert shorten("  spaced \n out ", 20) == "spaced out"
    assert shorten("one two, three", 8) == "one two"
    assert shorten("Eternity Now for Men", 16) == "Eternity Now", "a dangling preposition must go"
    assert shorten("Powder, with the Brush", 16) == "Powder"
    assert shorten("Made for", 10) == "Made for", "uncut text stays unchanged"


def test_titles_that_truncation_makes_equal_keep_more() -> None:
    same = ["A cream for dry hands, rose", "A cream for dry hands, mint", "Soap"]
    assert distinct_titles(same, 16) == ["A cream for dry hands, rose", "A cream for dry hands, mint", "Soap"]
    assert distinct_titles([*same[:1], "Soap", "Soap"], 16) == ["A cream for dry", "Soap", "Soap"]


def test_history_lines_leave_out_what_is_missing() -> None:
    lines = history_lines(make_shop(), 0, [2, 0, 1], most=3, title_chars=40, review_chars=12)
    assert lines == [
        "Mint Balm",
        'Rose Hand Cream, 3.4 oz (5 stars, "smells")',
        'Oat Soap Bar for Sensitive Skin ("gentle on my")',
    ]
    assert history_lines(make_shop(), 0, [2, 0, 1], most=1, title_chars=40, review_chars=0) == [
        "Oat Soap Bar for Sensitive Skin"
    ]


def test_behaviour_text_names_the_target_only_on_request_and_never_its_review() -> None:
    limits = {"most": 8, "title_chars": 40, "review_chars": 40}
    without = behaviour_text(make_shop(), 0, [0, 1], None, **limits)
    with_target = behaviour_text(make_shop(), 0, [0, 1], 5, **limits)
    assert "TARGETWORD" not in without and "REVIEWWORD" not in without
    assert "TARGETWORD" in with_target and "REVIEWWORD" not in with_target
