"""Work done by threads beside whoever uses its results, a bounded number of them ahead; pays where it frees the GIL."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

S = TypeVar("S")
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


def map_ahead(function: Callable[[S], T], source: Iterable[S], threads: int) -> Iterator[T]:
    """`function` of all that `source` yields, in its order, by several threads at most one result a thread ahead."""
    with ThreadPoolExecutor(threads, "map") as pool:
        coming: deque[Future[T]] = deque()
        try:
            for item in source:
                coming.append(pool.submit(function, item))
                if len(coming) > threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
