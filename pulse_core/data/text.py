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
# Pieces of page script that real 2018 metadata holds in place of titles.
_SCRIPT = re.compile(r"getTime\s*\(|\bvar\s+\w+\s*=|\bfunction\s*\(|ue_t0|aPageStart|\bdocument\.\w+\(")
_PRICE = re.compile(r"^\s*[$£€]?\s*(\d[\d,]*(?:\.\d+)?)(?![\w.])")


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
    """The title as plain text, or "" when it is junk: only markup, page script, or longer than any name."""
    title = plain_text(raw)
    if not any(c.isalnum() for c in title) or len(title) > max_characters or _SCRIPT.search(title):
        return ""
    return title


def price_of(raw: object) -> float | None:
    """The price as a number (the lower end of a range), or None where the page held something else."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | float):
        return float(raw) if 0 <= raw < 1e9 else None
    found = _PRICE.match(raw) if isinstance(raw, str) else None
    return float(found[1].replace(",", "")) if found else None
