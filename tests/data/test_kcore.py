import numpy as np
import pyarrow as pa
import pytest

from pulse_core.data.kcore import earliest_of_pairs, k_core, rank_codes, sequence_order, tied_share


def reference_k_core(users, items, k):
    rows = set(range(len(users)))
    while True:
        kept = {
            r
            for r in rows
            if sum(users[s] == users[r] for s in rows) >= k and sum(items[s] == items[r] for s in rows) >= k
        }
        if kept == rows:
            return rows
        rows = kept


def test_hand_case_needs_a_second_round():
    # Item 2 has one row; dropping it leaves user 2 with one, and dropping that leaves item 1 two of its three.
    users = np.array([0, 0, 1, 1, 2, 2])
    items = np.array([0, 1, 0, 1, 1, 2])
    assert k_core(users, items, 2).tolist() == [True, True, True, True, False, False]


def test_a_chain_unravels_to_nothing():
    users = np.repeat(np.arange(50), 2)
    items = np.stack([np.arange(50), np.arange(1, 51)], axis=1).ravel()  # the ends have one row each
    assert not k_core(users, items, 2).any()
    assert not k_core(np.empty(0, int), np.empty(0, int), 2).any()


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_reference_filter(seed):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 12, 60), rng.integers(0, 15, 60)
    assert set(np.flatnonzero(k_core(users, items, 3))) == reference_k_core(users, items, 3)


@pytest.mark.parametrize("seed", range(5))
def test_the_earliest_of_each_pair_is_kept(seed):
    rng = np.random.default_rng(seed)
    users, items, times = rng.integers(0, 5, 80), rng.integers(0, 5, 80), rng.integers(0, 4, 80)
    best = {}
    for row in range(80):
        key = (users[row], items[row])
        if key not in best or times[row] < times[best[key]]:
            best[key] = row
    assert earliest_of_pairs(users, items, times).tolist() == sorted(best.values())
    first = {}
    for row in range(80):
        first.setdefault((users[row], items[row]), row)
    assert earliest_of_pairs(users, items, None).tolist() == sorted(first.values())


def test_codes_follow_the_order_of_ids():
    codes, ids = rank_codes(np.array([2, 0, 2, 3]), pa.array(["b", "unused", "a", "c"]))
    assert ids == ["a", "b", "c"] and codes.tolist() == [0, 1, 0, 2] and codes.dtype == np.int32


def test_ties_in_time_keep_the_original_order():
    users, times, rows = np.array([1, 0, 0, 0]), np.array([5, 9, 3, 3]), np.array([0, 1, 7, 4])
    assert sequence_order(users, times, rows).tolist() == [3, 2, 1, 0]
    assert sequence_order(users, None, rows).tolist() == [1, 3, 2, 0]


def test_tied_share():
    assert tied_share(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 2, 2, 3])) == pytest.approx(0.4)
