"""Rows about storing calls in a database."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from smartswitch import Switcher

from smartcollect import collecting

from .collected import CALLS, ROUNDS, registered
from .measure import Row, Timed, calls, in_turns, net, row

WRITTEN = 100_000
_WRITE = WRITTEN / 140_000
"""The goal for writing the calls, in seconds: 140,000 calls a second."""


def persisted() -> Iterator[Row]:
    """Measure writing all calls to SQLite, and the cost for callers if few are written."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()
        urls = (f"sqlite:///{Path(folder) / f'{number}.db'}" for number in numbers)
        written = in_turns({"all": _writing(urls)}, 5)["all"]
        measure = f"{WRITTEN:,} calls, all written to SQLite ÷ {_WRITE:.2f} s"
        yield row(measure, written, [_WRITE] * len(written), 1.0, "s")
        with ExitStack() as stack:
            timed = {
                "plain": _plain,
                "collected": _watched(stack, None),
                "persisted": _watched(stack, next(urls)),
            }
            taken = in_turns({name: calls(one, CALLS) for name, one in timed.items()}, ROUNDS)
        ours, bare = (net(taken, one, "plain") for one in ("persisted", "collected"))
        yield row('persist with calls="slow" ÷ without, net', ours, bare, 1.15)


def _plain(number: int) -> int:
    return number


def _writing(urls: Iterator[str]) -> Timed:
    """Return the seconds to write pending calls to a new database."""

    def timed() -> float:
        switcher = Switcher("benchmarks")
        handler = registered(switcher)
        with collecting(switcher, max_history=0) as log:
            subscription = log.persist(next(urls), "1000min", "all", max_queue=WRITTEN)
            for number in range(WRITTEN):
                handler(number)
            log.stats()  # folds the pending calls
            start = time.perf_counter()
            subscription.flush()
            seconds = time.perf_counter() - start
        if subscription.dropped or subscription.failures:
            raise RuntimeError(f"{subscription.dropped} calls were not written")
        return seconds

    return timed


def _watched(stack: ExitStack, url: str | None) -> Callable[[int], int]:
    switcher = Switcher("benchmarks")
    handler = registered(switcher)
    log = stack.enter_context(collecting(switcher))
    if url is not None:
        log.persist(url, "100ms", "slow")
    return handler
