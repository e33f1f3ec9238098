import threading

import pytest

from pulse_core.data.ahead import ahead


def test_results_keep_the_source_order():
    assert list(ahead(range(100), 3)) == list(range(100))
    assert list(ahead([], 3)) == []


def test_an_error_is_raised_in_place_of_its_result():
    def source():
        yield 1
        yield 2
        raise KeyError("third")

    seen = []
    with pytest.raises(KeyError):
        seen.extend(ahead(source(), 4))
    assert seen == [1, 2]


def test_lookahead_is_bounded_and_closing_stops_the_threads():
    made = []
    results = ahead((made.append(n) or n for n in range(1000)), 4)
    assert next(results) == 0
    results.close()
    assert len(made) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
