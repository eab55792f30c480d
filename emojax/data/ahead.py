"""Stages of a film that run side by side: each in a thread, a few items ahead of the next.

XLA, OpenCV and FFmpeg release Python's lock while they work. Python ends daemon threads at its own
end, which inside of such a library takes the process down with a signal. So threads here are none:
they end after the item in hand when their reader stops, or the program does.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], *, depth: int = 2) -> Iterator[T]:
    """Yields the items, which another thread makes ahead of time; its errors are raised here.

    Args:
      items: made in that thread; a generator is closed when the reader stops early.
      depth: how many are held ready.
    """
    ready: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()
    end = object()

    def is_wanted() -> bool:
        # At its end the main thread waits for the others; nobody may be left to set `stop` then.
        return not stop.is_set() and threading.main_thread().is_alive()

    def put(item: object) -> None:
        while is_wanted():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def make() -> None:
        source = iter(items)
        try:
            for item in source:
                put((item, None))
                if not is_wanted():
                    break
            put((end, None))
        except BaseException as error:  # handed over: the reader raises it
            put((end, error))
        finally:
            if hasattr(source, "close"):
                source.close()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        while True:
            try:
                item, error = ready.get(timeout=0.1)
            except queue.Empty:
                if thread.is_alive() or not ready.empty():
                    continue
                return  # it gave up, as the program ends
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stop.set()
        thread.join()


def timed(items: Iterable[T], seconds: dict[str, float], name: str) -> Iterator[T]:
    """Yields the items, and adds what it takes to make them to `seconds[name]`.

    Args:
      items: to time.
      seconds: changed in place.
      name: of the entry.
    """
    seconds.setdefault(name, 0.0)
    source = iter(items)
    try:
        while True:
            begin = time.perf_counter()
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                seconds[name] += time.perf_counter() - begin
            yield item
    finally:
        if hasattr(source, "close"):
            source.close()
