"""Progress of long work: a bar with rate and time left on a terminal, plain lines in the log elsewhere."""

import logging
import sys
import time
from contextlib import closing

from tqdm import tqdm

LOG_EVERY_SECONDS = 15.0
log = logging.getLogger("pulse")


class Progress:
    """Counts finished units; shows them on a terminal and logs a line at intervals."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.skipped = 0
        self.started = self.last_line = time.monotonic()
        self._bar = tqdm(total=total, desc=what, unit=unit, disable=not sys.stderr.isatty(), dynamic_ncols=True)

    def advance(self, count: int = 1, note: str = "", *, skipped: bool = False) -> None:
        """`count` more units are done; `skipped` ones were done by an earlier run and don't count in the rate."""
        self.done += count
        if skipped:
            self.skipped += count
            # tqdm's rate excludes `initial`; a disabled bar has none.
            self._bar.initial = getattr(self._bar, "initial", 0) + count
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)
        if time.monotonic() - self.last_line >= LOG_EVERY_SECONDS or self.done >= self.total:
            self.last_line = time.monotonic()
            log.info("%s", self.line(note))

    def line(self, note: str = "") -> str:
        """One plain line: done, total, rate, time left."""
        rate = (self.done - self.skipped) / max(time.monotonic() - self.started, 1e-9)
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate > 0 else "time left unknown"
        tail = f", {note}" if note else ""
        return f"{self.what}: {self.done}/{self.total} {self.unit}, {rate:.2f} {self.unit}/s, {left}{tail}"

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()


def progress(what: str, total: int, unit: str) -> closing[Progress]:
    """Progress over `total` units in a `with` block."""
    return closing(Progress(what, total, unit))
