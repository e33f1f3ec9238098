"""The planted reasons: what a driver is, and the few dozen that the synthetic domains share."""

from dataclasses import dataclass, field

GROUPS = {"luxury": ("care", "makeup", "tool"), "pantry": ("food", "drink", "home"), "games": ("game", "gear")}
"""Domain -> the groups of its products. A driver fits some groups; most fit groups of several domains."""
ANYTHING = " ".join(group for groups in GROUPS.values() for group in groups)


@dataclass(frozen=True)
class Driver:
    """One reason to buy, and the words that speak of it. Every phrase holds at least one of `keywords`."""

    name: str
    fits: frozenset[str]
    """Groups of products that can carry it."""
    titles: tuple[str, ...]
    """Words for an item's title, as a seller writes them."""
    describe: tuple[str, ...]
    """Attributes for a description ("made without added fragrance")."""
    needs: tuple[str, ...]
    """What a customer looks for: noun phrases that follow "I wanted"."""
    met: tuple[str, ...]
    """Clauses of a review when the item kept the promise."""
    missed: tuple[str, ...]
    """Clauses of a review when it did not."""
    keywords: tuple[str, ...]
    """Lower-case phrases by which a text is judged to name the driver (at the start of a word)."""
    special_titles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Group -> title words of its own."""

    def titles_for(self, group: str) -> tuple[str, ...]:
        """Title words for a product of `group`."""
        return self.special_titles.get(group, self.titles)


def driver(
    name: str,
    fits: str,
    titles: str,
    describe: str,
    needs: str,
    met: str,
    missed: str,
    keywords: str,
    special: dict[str, str] | None = None,
) -> Driver:
    """A Driver from phrases parted by "|" and groups parted by blanks."""

    def cut(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split("|"))

    own = {group: cut(text) for group, text in (special or {}).items()}
    return Driver(
        name, frozenset(fits.split()), cut(titles), cut(describe), cut(needs), cut(met), cut(missed), cut(keywords), own
    )
