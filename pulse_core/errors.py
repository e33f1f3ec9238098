"""Errors that a user can fix: each message names the file, line or key and says what to do."""


class InputError(ValueError):
    """An input (a config value, a raw file, a model) that cannot be used as it is."""
