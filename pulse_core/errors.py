"""Errors that a user can mend: each message names the file, line or key and says what to do."""


class InputError(ValueError):
    """Something given to PULSE (a config value, a raw file, a missing model) cannot be used as it is."""
