"""Lock files: a lock is released when its process ends, however it ends."""

from pathlib import Path
from typing import IO

from pulse_core.errors import InputError


def open_lock(file: Path) -> IO[str]:
    """Open a lock file, creating it and its folder if needed.

    Raises:
        InputError: the path is taken by something else or not writable.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot serve as a lock file ({error.strerror}): remove what is there") from None
