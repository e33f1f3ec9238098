"""Items, histories and behaviour as text.

A text depends only on the history (and target, if given) that the caller passes in, never on later interactions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pulse_core.keys import Key, keys

if TYPE_CHECKING:
    from pulse_core.rationales.settings import RationaleSettings

BREAKS = re.compile(r",| \| | - | – |\(|;|: ")
# Leftovers of a cut.
DANGLING = re.compile(r"([\s,;:\-–(/&+.]+(for|with|of|and|or|in|de|the|a|by|to)?)+$", re.IGNORECASE)
LONGER = 16  # characters by which the limit of titles grows whose cuts are equal
BRIEF = 16  # minimum length of a title cut at a comma, bar or bracket


@dataclass(frozen=True)
class Opinion:
    """A user's rating of an item (1-5 stars) and words of the review, each if the corpus has it."""

    stars: float | None = None
    words: str = ""


class Shop:
    """The texts of a domain: titles by item code, opinions by (user, item)."""

    def __init__(self, items: pd.DataFrame, opinions: Mapping[tuple[int, int], Opinion]) -> None:
        self._titles: dict[int, str] = dict(zip(items["item"].tolist(), items["title"].tolist(), strict=True))
        self._opinions = opinions

    def title(self, item: int, limit: int) -> str:
        """The title, see `shorten`."""
        return shorten(self._titles[item], limit)

    def distinct_titles(self, items: Sequence[int], limit: int) -> list[str]:
        """Titles of several items, see `distinct_titles`."""
        return distinct_titles([self._titles[item] for item in items], limit)

    def brief_title(self, item: int, limit: int) -> str:
        """The head of the title, see `brief`."""
        return brief(self._titles[item], limit)

    def opinion(self, user: int, item: int) -> Opinion:
        """The user's opinion of the item; empty if there is none."""
        return self._opinions.get((user, item), Opinion())


def load_shop(items: pd.DataFrame, interactions: pd.DataFrame, reviews: pd.DataFrame) -> Shop:
    """The texts of a corpus, from its tables."""
    written = reviews[["user", "item", "summary", "text"]].itertuples(index=False)
    words = {(user, item): (summary or text or "") for user, item, summary, text in written}
    opinions = {
        (user, item): Opinion(None if pd.isna(stars) else float(stars), words.get((user, item), ""))
        for user, item, stars in interactions[["user", "item", "rating"]].itertuples(index=False)
    }
    return Shop(items, opinions)


def shorten(text: str, limit: int) -> str:
    """The text, cut at a word to at most `limit` characters, without trailing punctuation and prepositions."""
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
    """The head of a product title: without sizes, counts and claims after a comma, bar, dash or bracket."""
    title = " ".join(title.split())
    head = next((title[: cut.start()] for cut in BREAKS.finditer(title) if cut.start() >= BRIEF), title)
    return shorten(head, limit)


def history_lines(
    shop: Shop, user: int, history: Sequence[int], *, most: int, title_chars: int, review_chars: int
) -> list[str]:
    """One line per purchase for the last `most`, oldest first: title, stars, words of the review."""
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


def behaviour_text(shop: Shop, user: int, history: Sequence[int], target: int | None, **limits: int) -> str:
    """b_u of section 4.1: the target if given (never its review), then the history within `limits` of `history_lines`,
    newest first.

    Encoders truncate the end, so the oldest purchases are lost first. Selection passes `target=None` in every split
    (`behaviour: history`); the paper's (s_u, i_t+1) is E2's training text and the text of `behaviour: oracle`.
    """
    text = "Bought before: " + "; ".join(reversed(history_lines(shop, user, history, **limits)))
    return text if target is None else f"Bought: {shop.brief_title(target, limits['title_chars'])}. {text}"


def behaviour_texts(
    examples: pd.DataFrame, shop: Shop, settings: "RationaleSettings", *, with_target: bool
) -> dict[Key, str]:
    """Behaviour texts of all examples, for training the Thought Space and for selection."""
    targets = examples["target"].tolist() if with_target else [None] * len(examples)
    limits = {"title_chars": settings.title_chars, "review_chars": settings.review_chars}
    return {
        key: behaviour_text(shop, key[0], history, target, most=settings.behaviour_items, **limits)
        for key, history, target in zip(keys(examples), examples["history"], targets, strict=True)
    }
