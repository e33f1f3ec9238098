"""Histories, items and behaviour in plain words.

Every text is made from an example's history (and, where the caller says so, its target), never from anything later:
what a text may hold is decided by what is passed in, so nothing here looks an interaction up by user alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pulse_core.keys import Key, keys
from pulse_core.rationales.settings import RationaleSettings

BREAKS = re.compile(r",| \| | - | – |\(|;|: ")
DANGLING = re.compile(
    r"([\s,;:\-–(/&+.]+(for|with|of|and|or|in|de|the|a|by|to)?)+$", re.IGNORECASE
)  # what a cut leaves
LONGER = 16  # characters by which the limit of titles grows whose cuts are equal
BRIEF = 16  # a title's head before its first comma, bar or bracket says enough from this many characters on


@dataclass(frozen=True)
class Opinion:
    """What a user said of an item: stars (1-5) and a few words of the review, each only where the dump has it."""

    stars: float | None = None
    words: str = ""


class Shop:
    """Titles by item code and opinions by (user, item): the texts of one domain."""

    def __init__(self, items: pd.DataFrame, opinions: Mapping[tuple[int, int], Opinion]) -> None:
        self._titles: dict[int, str] = dict(zip(items["item"].tolist(), items["title"].tolist(), strict=True))
        self._opinions = opinions

    def title(self, item: int, limit: int) -> str:
        """The title, cut at a word so that it holds at most `limit` characters."""
        return shorten(self._titles[item], limit)

    def distinct_titles(self, items: Sequence[int], limit: int) -> list[str]:
        """Titles of several items, see the function `distinct_titles`."""
        return distinct_titles([self._titles[item] for item in items], limit)

    def brief_title(self, item: int, limit: int) -> str:
        """The telling head of the title, see `brief`."""
        return brief(self._titles[item], limit)

    def opinion(self, user: int, item: int) -> Opinion:
        """What the user said of the item; an empty opinion where the dump holds none."""
        return self._opinions.get((user, item), Opinion())


def load_shop(items: pd.DataFrame, interactions: pd.DataFrame, reviews: pd.DataFrame) -> Shop:
    """The texts of a corpus, from its tables (`items`, `interactions`, `reviews` as design.md names them)."""
    words = {
        (user, item): (summary or text or "")
        for user, item, summary, text in reviews[["user", "item", "summary", "text"]].itertuples(index=False)
    }
    rated = interactions[["user", "item", "rating"]].itertuples(index=False)
    opinions = {
        (user, item): Opinion(None if pd.isna(stars) else float(stars), words.get((user, item), ""))
        for user, item, stars in rated
    }
    return Shop(items, opinions)


def shorten(text: str, limit: int) -> str:
    """The text, cut at a word to at most `limit` characters; trailing punctuation and prepositions go with the cut."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit + 1].rsplit(" ", 1)[0]
    return DANGLING.sub("", cut if len(cut) <= limit else text[:limit])


def distinct_titles(titles: Sequence[str], limit: int) -> list[str]:
    """Titles cut to `limit` characters; where a cut makes different titles equal, those are cut later."""
    limits = [limit] * len(titles)
    while True:
        shown = [shorten(title, limit) for title, limit in zip(titles, limits, strict=True)]
        equal = [i for i, title in enumerate(shown) if shown.count(title) > 1 and len(titles[i]) > limits[i]]
        if not equal:
            return shown
        for i in equal:
            limits[i] += LONGER


def brief(title: str, limit: int) -> str:
    """The telling head of a product title: without sizes, counts and claims behind a comma, bar, dash or bracket."""
    title = " ".join(title.split())
    head = next((title[: cut.start()] for cut in BREAKS.finditer(title) if cut.start() >= BRIEF), title)
    return shorten(head, limit)


def history_lines(
    shop: Shop, user: int, history: Sequence[int], *, most: int, title_chars: int, review_chars: int
) -> list[str]:
    """The last `most` purchases, oldest first, one line each: title, stars, a few words of the review."""
    lines = []
    for item in list(history)[-most:]:
        opinion = shop.opinion(user, item)
        notes = []
        if opinion.stars is not None:
            notes.append(f"{opinion.stars:g} stars")
        if review_chars and opinion.words:
            notes.append(f'"{shorten(opinion.words, review_chars)}"')
        lines.append(shop.brief_title(item, title_chars) + (f" ({', '.join(notes)})" if notes else ""))
    return lines


def behaviour_text(
    shop: Shop,
    user: int,
    history: Sequence[int],
    target: int | None,
    *,
    most: int,
    title_chars: int,
    review_chars: int,
) -> str:
    """b_u of section 4.1: the target where one is given (never its review), then the history, newest first.

    In that order because encoders cut a long text's end: what goes first is the oldest purchase.

    Design: selection uses `target=None` at every split (`behaviour: history`); the paper's literal (s_u, i_t+1) is
    what E2 is trained on and what `behaviour: oracle` selects with.
    """
    lines = history_lines(shop, user, history, most=most, title_chars=title_chars, review_chars=review_chars)
    text = "Bought before: " + "; ".join(reversed(lines))
    return text if target is None else f"Bought: {shop.brief_title(target, title_chars)}. {text}"


def behaviour_texts(
    examples: pd.DataFrame, shop: Shop, settings: RationaleSettings, *, with_target: bool
) -> dict[Key, str]:
    """The behaviour text of each example, as the Thought Space learns from it and selection compares leaves with it."""
    targets = examples["target"].tolist() if with_target else [None] * len(examples)
    shown = {
        "most": settings.behaviour_items,
        "title_chars": settings.title_chars,
        "review_chars": settings.review_chars,
    }
    return {
        key: behaviour_text(shop, key[0], history, target, **shown)
        for key, history, target in zip(keys(examples), examples["history"], targets, strict=True)
    }
