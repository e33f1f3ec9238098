"""Work done by a thread beside whoever uses it, a bounded number of results ahead; pays where it frees the GIL."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(source: Iterable[T], depth: int) -> Iterator[T]:
    """What `source` yields, made by one thread at most `depth` results ahead.

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
            thread.shutdown(cancel_futures=True)  # whoever left early wants nothing more
