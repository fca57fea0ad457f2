"""The clock that calls are timed with, held where freezing libraries do not replace it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

from .processor import ThreadClock, ThreadTimes


def _untold(now: float) -> ThreadTimes:
    return ThreadTimes(0.0, None, 0)


class Clock(NamedTuple):
    """Functions that return seconds.

    Attributes:
        monotonic: never goes back; its zero means nothing.
        wall: Unix time.
        thread: where the time of the calling thread went, given that of ``monotonic``.
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    thread: Callable[[float], ThreadTimes] = _untold


def _system() -> Clock:
    # freezegun puts its own functions into `time` and into every module global that holds one
    # of time's; a second, private copy of the built-in module is out of its sight, also when
    # this module is first imported inside of a frozen test.
    spec = importlib.machinery.BuiltinImporter.find_spec("time")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Clock(module.perf_counter, module.time, ThreadClock(module.thread_time))


SYSTEM = _system()
