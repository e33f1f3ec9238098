"""Runs an iterator in a thread, a bounded number of results ahead; useful if it releases the GIL."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(source: Iterable[T], depth: int) -> Iterator[T]:
    """The results of `source`, in order, computed in one thread at most `depth` ahead.

    An exception of the source is raised in place of its result.
    """
    iterator = iter(source)
    with ThreadPoolExecutor(1, "ahead") as thread:
        pending = deque(thread.submit(next, iterator, _END) for _ in range(depth))
        try:
            while (result := pending.popleft().result()) is not _END:
                pending.append(thread.submit(next, iterator, _END))
                yield result
        finally:
            thread.shutdown(cancel_futures=True)
