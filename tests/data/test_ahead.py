import threading

import pytest

from pulse_core.data.ahead import ahead


def test_order_is_the_source_s():
    assert list(ahead(range(100), 3)) == list(range(100))
    assert list(ahead([], 3)) == []


def test_an_error_comes_where_its_result_would_have():
    def source():
        yield 1
        yield 2
        raise KeyError("third")

    seen = []
    with pytest.raises(KeyError):
        seen.extend(ahead(source(), 4))
    assert seen == [1, 2]


def test_no_more_is_made_than_asked_for_and_leaving_ends_the_threads():
    made = []
    results = ahead((made.append(n) or n for n in range(1000)), 4)
    assert next(results) == 0
    results.close()
    assert len(made) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
