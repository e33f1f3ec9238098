"""Vectorised steps from coded rows to the filtered, ordered interactions."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def earliest_of_pairs(users: NDArray[Any], items: NDArray[Any], times: NDArray[Any] | None) -> NDArray[np.int64]:
    """Positions of the earliest row of every (user, item), in row order; equal times keep the first row.

    users, items: int32 codes (rows,); times: int64 (rows,), or None where the order of rows is the order.
    """
    pair = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    in_order = np.sort(pair)
    repeated = pa.array(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    kept = np.ones(len(pair), dtype=bool)
    # Few pairs are repeated, so only their rows are sorted by row.
    rows = np.flatnonzero(pc.is_in(pa.array(pair), value_set=repeated).to_numpy(zero_copy_only=False))
    pair = pair[rows]
    order = np.argsort(pair, kind="stable") if times is None else np.lexsort((times[rows], pair))  # both stable
    later = np.zeros(len(rows), dtype=bool)
    later[1:] = pair[order[1:]] == pair[order[:-1]]
    kept[rows[order[later]]] = False
    return np.flatnonzero(kept)


def k_core(users: NDArray[Any], items: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Rows of the largest subset in which every user and every item has at least `k` rows (the iterated filter).

    The result does not depend on the order in which users and items are dropped.
    """
    kept = np.zeros(len(users), dtype=bool)
    rows = np.arange(len(users))
    while not (enough := (np.bincount(users) >= k)[users] & (np.bincount(items) >= k)[items]).all():
        rows, users, items = rows[enough], users[enough], items[enough]
    kept[rows] = True
    return kept


def rank_codes(codes: NDArray[Any], names: pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """Codes replaced by the ranks of their ids in sorted order, and the ids in use in that order.

    names: ids by code. Unlike codes by first appearance, ranks do not depend on the order of lines in the raw file.
    """
    used = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    used = used[pc.sort_indices(names.take(pa.array(used))).to_numpy()]
    ranks = np.full(len(names), -1, dtype=np.int32)
    ranks[used] = np.arange(len(used), dtype=np.int32)
    return ranks[codes], names.take(pa.array(used)).to_pylist()  # ids not in use never become Python objects


def sequence_order(users: NDArray[Any], times: NDArray[Any] | None, rows: NDArray[Any]) -> NDArray[np.int64]:
    """The order (user, time, original row); without times (user, original row)."""
    keys = (users,) if times is None else (times, users)
    in_row_order = bool((rows[1:] > rows[:-1]).all())  # the sort is stable
    return np.lexsort(keys if in_row_order else (rows, *keys))


def tied_share(users: NDArray[Any], times: NDArray[Any]) -> float:
    """Share of rows, sorted by user and time, that share their time with another row of the same user."""
    same = (users[1:] == users[:-1]) & (times[1:] == times[:-1])
    return float((np.append(False, same) | np.append(same, False)).mean()) if len(users) else 0.0
