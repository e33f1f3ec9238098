import pytest

from pulse_core.data.text import clean_title, cut_at_word, plain_text, price_of


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("Crabtree &amp; Evelyn", "Crabtree & Evelyn"),
        ("twice &amp;quot;escaped&amp;quot;", 'twice "escaped"'),
        ("PHYTOK&Eacute;RATINE", "PHYTOKÉRATINE"),
        ("<b>Bold</b> &lt;br/&gt; text<br>more", "Bold text more"),
        ("<script>var a = 1 < 2;</script>after", "after"),
        ("before <style>.a{}", "before"),
        ('cut <a href="x', "cut"),
        ("I <3 it, 5 < 6 > 4", "I <3 it, 5 < 6 > 4"),
        ("[[VIDEOID:abc123]] watch [[ASIN:B0001 This Cream]]", "watch This Cream"),
        ("  many\n\n spaces\u00a0here ", "many spaces here"),
        ("zero\u200bwidth\x07", "zerowidth"),
        (["one", 2, "two"], "one two"),
        (None, ""),
        ({"a": 1}, ""),
    ],
)
def test_plain_text(raw, plain):
    assert plain_text(raw) == plain


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "<span></span>",
        "&nbsp;",
        "var aPageStart = (new Date()).getTime();",
        "<script>var x</script>",
        "if (ue_t0) { function () {} }",
        ".a-box-inner{background-color:#fff}",
        "if (window.ue) { uet(",
        "document.write('x');",
        "---",
        None,
    ],
)
def test_junk_titles_are_dropped(junk):
    assert clean_title(junk, 400) == ""


def test_real_titles_survive():
    assert clean_title("Time Crisis: Var&iacute;a &lt;2&gt;", 400) == "Time Crisis: Varía <2>"
    assert clean_title("DoubleClick Mouse", 400) == "DoubleClick Mouse"


@pytest.mark.parametrize(
    "title",
    [
        "Learn C: function (x) basics",
        "The document.write() handbook",
        "Variety var pack = 12",
        "Pens (black); pack of 12",
        "If (and When) {Hardcover}",
        "Set {red: small}",
    ],
)
def test_a_word_of_code_does_not_make_a_title_junk(title):
    assert clean_title(title, 400) == title


def test_a_long_title_is_cut_and_a_number_is_a_title():
    title = clean_title("word " * 100, 400)
    assert title == "word " * 78 + "word…" and len(title) <= 400
    assert clean_title(1984, 400) == "1984" and clean_title(True, 400) == ""


def test_cut_at_word():
    assert cut_at_word("short", 10) == "short"
    assert cut_at_word("one two three four", 15) == "one two three…"
    assert cut_at_word("x" * 30, 10) == "x" * 9 + "…"
    assert all(len(cut_at_word("some words, of many lengths " * 9, n)) <= n for n in range(60))


@pytest.mark.parametrize(
    ("raw", "price"),
    [
        ("$1,250.00", 1250.0),
        ("$5.00 - $9.50", 5.0),
        (12, 12.0),
        ("19.99", 19.99),
        ("", None),
        (None, None),
        (True, None),
        (".a-box-inner{background:#fff}", None),
        ("from $3", None),
        ("1.299,00", 1299.0),
        ("1,299.00", 1299.0),
        ("1.299,00 €", 1299.0),
        ("€ 12,50", 12.5),
        ("1,299", 1299.0),
        ("1.234.567", 1_234_567.0),
        ("0.999", 0.999),
        ("1.299", None),
        ("1,29,00", None),
        ("1,2999", None),
    ],
)
def test_price(raw, price):
    assert price_of(raw) == price
