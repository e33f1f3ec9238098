"""Errors that a user can fix: each message names the file, line or key and says what to do."""


class InputError(ValueError):
    """An input (a config value, a raw file, a model) that cannot be used as it is."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    """The text with control characters but newlines replaced, safe to show on a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
