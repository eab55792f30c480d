import threading
import time

import pytest

from emojax.data import ahead


def test_items_come_in_order():
    assert list(ahead.ahead(range(20), depth=3)) == list(range(20))
    assert list(ahead.ahead([])) == []


def test_errors_are_raised_where_items_are_read():
    def broken():
        yield 1
        raise ValueError("broken")

    items = ahead.ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_reader_that_stops_leaves_no_thread():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    items = ahead.ahead(endless(), depth=1)
    next(items)
    items.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_time_is_added_up():
    def slow():
        for k in range(3):
            time.sleep(0.01)
            yield k

    seconds = {}
    assert list(ahead.timed(slow(), seconds, "slow")) == [0, 1, 2]
    assert seconds["slow"] >= 0.03
