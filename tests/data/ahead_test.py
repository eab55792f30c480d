import subprocess
import sys
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


PROGRAM = """
import sys, time
from emojax.data import ahead

def slow(name, items):
    try:
        for item in items:
            time.sleep(0.02)
            yield item
    finally:
        print(name, "closed", flush=True)

def endless():
    while True:
        yield 0

try:
    # Two in a row, as a film has: what is prepared, what is drawn.
    for item in ahead.ahead(slow("outer", ahead.ahead(slow("inner", endless())))):
        raise KeyboardInterrupt
except KeyboardInterrupt:
    sys.exit(130)  # with the traceback, and so the generators, still alive
"""


def test_a_program_that_ends_waits_for_the_item_in_hand_and_no_longer():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert sorted(done.stdout.splitlines()) == ["inner closed", "outer closed"]
    assert done.stderr == ""


def test_time_is_added_up():
    def slow():
        for k in range(3):
            time.sleep(0.01)
            yield k

    seconds = {}
    assert list(ahead.timed(slow(), seconds, "slow")) == [0, 1, 2]
    assert seconds["slow"] >= 0.03
