"""Plain text from product pages: entities decoded, markup and scripts removed."""

import html
import re

# Blocks of script or style; an unclosed one runs to the end of the text.
_CODE_BLOCK = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.DOTALL | re.IGNORECASE)
# A tag starts with "<" and a letter, "/" or "!": "I <3 it" and "5 < 6" are text.
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]*(?:[\s/][^<>]*)?>|<!\w[^<>]*>")
# An unclosed tag at the end of a truncated page; it must have an attribute, so that "width <height" stays.
_OPEN_TAG_AT_END = re.compile(r"<[a-zA-Z][a-zA-Z0-9-]*\s+[\w-]+\s*=[^<>]*$")
# Amazon's markers in review texts: [[VIDEOID:...]] has no text, [[ASIN:B0001 Name]] has a name.
_VIDEO = re.compile(r"\[\[VIDEOID:[^\]]*\]\]")
_PRODUCT = re.compile(r"\[\[ASIN:\w+\s*([^\]]*)\]\]")
# Page code that real 2018 metadata has instead of titles: a call or an assignment that ends in ";", a block after a
# condition or a function's head, a CSS rule. A mere word of code ("Learn C: function (x) basics") is no such thing.
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
    """The text of a JSON value (a string or a list of strings), unchanged; "" for any other value."""
    if isinstance(raw, list):
        raw = " ".join(part for part in raw if isinstance(part, str))
    return raw if isinstance(raw, str) else ""


def plain_text(raw: object) -> str:
    """The text of a JSON value (a string or a list of strings) on one line, without markup; "" for any other value."""
    text = as_text(raw)
    if "&" in text:
        text = html.unescape(html.unescape(text))  # some dumps are escaped twice ("&amp;quot;")
    if "<" in text:
        text = _OPEN_TAG_AT_END.sub(" ", _TAG.sub(" ", _CODE_BLOCK.sub(" ", text)))
    if "[[" in text:
        text = _PRODUCT.sub(r"\1", _VIDEO.sub(" ", text))
    text = " ".join(text.split())
    return text if text.isascii() else "".join(c for c in text if c.isprintable())


def cut_at_word(text: str, limit: int) -> str:
    """Cut to `limit` characters with an ellipsis, at the end of a word if one ends in the last quarter."""
    if len(text) <= limit or limit < 2:
        return text[:limit]
    kept = text[: limit - 1]
    if (space := kept.rfind(" ")) >= limit * 3 // 4:
        kept = kept[:space]
    return kept.rstrip(" ,;:-") + "…"


def clean_title(raw: object, max_characters: int) -> str:
    """The title (text or number) as plain text, cut at `max_characters`; "" if it has no word or is page code."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = str(raw)
    title = plain_text(raw)
    if not any(c.isalnum() for c in title) or _CODE.search(title):
        return ""
    return cut_at_word(title, max_characters)


def price_of(raw: object) -> float | None:
    """The price as a number (the lower end of a range); None for anything else and for an ambiguous "1.299"."""
    if isinstance(raw, int | float):
        return float(raw) if 0 <= raw < 1e9 and not isinstance(raw, bool) else None
    price = _PRICE.match(raw) if isinstance(raw, str) else None
    if price is None or _EITHER.fullmatch(price["plain"] or ""):
        return None
    digits = price[price.lastgroup or 0]
    if price.lastgroup in ("comma_groups", "plain"):
        return float(digits.replace(",", ""))
    return float(digits.replace(".", "").replace(",", "."))
