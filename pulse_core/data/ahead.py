"""Runs an iterator in a thread of its own, a bounded number of results ahead of whoever uses them."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(source: Iterable[T], depth: int) -> Iterator[T]:
    """What `source` yields, made by a thread at most `depth` results ahead; worth it where the work frees the GIL.

    An exception of the source is raised where its result would have come.
    """
    iterator = iter(source)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = deque(thread.submit(next, iterator, _END) for _ in range(depth))
        try:
            while (result := coming.popleft().result()) is not _END:
                coming.append(thread.submit(next, iterator, _END))
                yield result
        finally:
            thread.shutdown(cancel_futures=True)  # the user has left: nothing more is wanted
