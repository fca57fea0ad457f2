"""A fake clock, dispatch for all versions of smartswitch, and the rows of summary tables."""

from __future__ import annotations

import os
import re
from _thread import get_ident
from collections.abc import Callable
from typing import Any

import pytest
from smartswitch import Switcher

from smartcollect.clock import Clock
from smartcollect.processor import ThreadTimes

SOAK = int(os.environ.get("SMARTCOLLECT_SOAK", "1"))
"""How many times longer than usual the tests that can find rare faults run."""
VIA_GET = hasattr(Switcher, "get")
"""Whether this smartswitch has ``sw.get("name")``; 0.10 dispatches by ``sw("name")``."""
needs_get = pytest.mark.skipif(not VIA_GET, reason="this smartswitch has no sw[...]")


plain = pytest.mark.parametrize("run", ["plain"], indirect=True)
"""Run pytest in one way only, where the workers of xdist make no difference."""


def dispatch(sw: Any, selector: str) -> Callable[..., Any]:
    """Return the handler for ``selector``."""
    return sw[selector] if VIA_GET else sw(selector)


class FakeTime:
    """A clock that only moves when a test moves it.

    ``delayed`` is None for a system that does not report the time of waiting for a processor.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.ran = 0.0
        self.delayed: float | None = 0.0
        self.readings = 0
        self.clock = Clock(lambda: self.now, lambda: self.now + 1_000_000.0, self._thread)

    def _thread(self, now: float) -> ThreadTimes:
        self.readings += 1
        return ThreadTimes(self.ran, self.delayed, get_ident())

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def compute(self, seconds: float) -> None:
        self.now += seconds
        self.ran += seconds

    def wait_for_a_processor(self, seconds: float) -> None:
        self.now += seconds
        if self.delayed is not None:
            self.delayed += seconds


TIMING = """
    import time
    from _thread import get_ident
    from smartcollect import clock
    from smartcollect.processor import ThreadTimes

    class Time:
        now = ran = delayed = 0.0

    def compute(seconds):
        Time.now += seconds
        Time.ran += seconds

    def wait_for_a_processor(seconds):
        Time.now += seconds
        Time.delayed += seconds

    def thread(now):
        return ThreadTimes(Time.ran, Time.delayed, get_ident())

    clock.SYSTEM = clock.Clock(lambda: Time.now, time.time, thread)
    """
"""Source of a module for test suites: it replaces the clock, and the suite moves the time."""


def table(result, heading="handler"):
    """Return the rows, by column, of the first summary table whose first column is ``heading``."""
    lines = iter(result.outlines)
    for line in lines:
        if "= smartcollect =" in line:
            break
    for line in lines:
        if re.match(f"{heading} ", line):
            head = line
            break
    else:
        raise AssertionError(f"no table of {heading} in\n{result.stdout.str()}")
    columns = [match.span() for match in re.finditer("-+", next(lines))]
    rows = []
    for line in lines:
        # Text below the table has letters in the gaps between columns.
        if not line or any(line[end : end + 2].strip() for _, end in columns[:-1]):
            break
        rows.append(line)
    return [
        {head[start:end].strip(): row[start:end].strip() for start, end in columns} for row in rows
    ]


class SlowerCallsSeen:
    """Bounds of a log that has seen slower calls of each handler."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def of_all(self) -> float:
        return self._seconds

    def of(self, name: object) -> float:
        return self._seconds
