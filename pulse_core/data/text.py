"""Plain text from what product pages hold: entities decoded, markup and scripts stripped."""

import html
import re

# Blocks whose content is code or style, not words; an unclosed one runs to the end.
_CODE_BLOCK = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.DOTALL | re.IGNORECASE)
# A letter, "/" or "!" must follow "<": "I <3 it" and "5 < 6" are words, not markup.
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]*(?:[\s/][^<>]*)?>|<!\w[^<>]*>")
# A tag that a cut-off page left open: only with an attribute, so that "width <height" stays.
_OPEN_TAG_AT_END = re.compile(r"<[a-zA-Z][a-zA-Z0-9-]*\s+[\w-]+\s*=[^<>]*$")
# The shop's own marks in review texts: [[VIDEOID:...]] says nothing, [[ASIN:B0001 Name]] holds a name.
_VIDEO = re.compile(r"\[\[VIDEOID:[^\]]*\]\]")
_PRODUCT = re.compile(r"\[\[ASIN:\w+\s*([^\]]*)\]\]")
# The shape of code that real 2018 metadata holds in place of titles: a call or an assignment that ends in ";", a block
# after a condition or a function's head, a CSS rule. A word of code alone ("Learn C: function (x) basics") is a title.
_CODE = re.compile(
    r"""\w\([^()]*\)\s*;                                                # getTime();
    | \b(?:var|let|const)\s+\w+\s*=\s*(?:\(?\s*new\b | [^;]*;)          # var start = new Date
    | \b(?:function|if|for|while|switch|catch)\b[^(){}]*\([^()]*\)\s*\{  # if (ue_t0) {
    | (?:^|\s)[.#@][\w-]+\s*\{\s*[\w-]+\s*:                                # .a-box{color:#fff}""",
    re.VERBOSE,
)
# Groups of three digits with a comma (1,299.00) or a point (1.299,00), or no groups with either as the decimal mark.
_PRICE = re.compile(
    r"""\s*[$£€]?\s*(?:
    (?P<comma_groups>\d{1,3}(?:,\d{3})+(?:\.\d+)?)
    | (?P<point_groups>\d{1,3}(?:(?:\.\d{3})+,\d{1,2}|(?:\.\d{3}){2,}))
    | (?P<decimal_comma>\d+,\d{1,2})
    | (?P<plain>\d+(?:\.\d+)?)
    )(?![\w.]|,\d)""",
    re.VERBOSE,
)
_EITHER = re.compile(r"[1-9]\d{0,2}\.\d{3}")  # 1.299 may be 1299 or 1.299


def as_text(raw: object) -> str:
    """The words of a JSON value (string, list of strings or nothing) as they stand; "" where there are none."""
    if isinstance(raw, list):
        raw = " ".join(part for part in raw if isinstance(part, str))
    return raw if isinstance(raw, str) else ""


def plain_text(raw: object) -> str:
    """Clean one-line text of a JSON value (string, list of strings or nothing); "" where there is none."""
    text = as_text(raw)
    if "&" in text:
        # Twice, because some dumps escape what was escaped already: "&amp;quot;" -> "&quot;" -> '"'.
        text = html.unescape(text)
        if "&" in text:
            text = html.unescape(text)
    if "<" in text:
        text = _OPEN_TAG_AT_END.sub(" ", _TAG.sub(" ", _CODE_BLOCK.sub(" ", text)))
    if "[[" in text:
        text = _PRODUCT.sub(r"\1", _VIDEO.sub(" ", text))
    text = " ".join(text.split())
    return text if text.isascii() else "".join(c for c in text if c.isprintable())


def cut_at_word(text: str, limit: int) -> str:
    """At most `limit` characters, ending at a word where one ends in the last quarter; marked with an ellipsis."""
    if len(text) <= limit:
        return text
    if limit < 2:
        return text[:limit]
    kept = text[: limit - 1]
    space = kept.rfind(" ")
    if space >= limit * 3 // 4:
        kept = kept[:space]
    return kept.rstrip(" ,;:-") + "…"


def clean_title(raw: object, max_characters: int) -> str:
    """The title as plain text, cut at `max_characters`; "" when it holds no word, or page code. Numbers are titles."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = str(raw)
    title = plain_text(raw)
    if not any(c.isalnum() for c in title) or _CODE.search(title):
        return ""
    return cut_at_word(title, max_characters)


def price_of(raw: object) -> float | None:
    """The price as a number (the lower end of a range); None for anything else, or where "1.299" may be two prices."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | float):
        return float(raw) if 0 <= raw < 1e9 else None
    price = _PRICE.match(raw) if isinstance(raw, str) else None
    if price is None or _EITHER.fullmatch(price["plain"] or ""):
        return None
    digits = price[price.lastgroup or 0]
    if price.lastgroup == "comma_groups":
        return float(digits.replace(",", ""))
    if price.lastgroup == "plain":
        return float(digits)
    return float(digits.replace(".", "").replace(",", "."))
