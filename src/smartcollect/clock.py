"""The clock that times calls, which libraries such as freezegun cannot replace."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

from .processor import ThreadClock, ThreadTimes


def _unknown(now: float) -> ThreadTimes:
    return ThreadTimes(0.0, None, 0)


class Clock(NamedTuple):
    """Functions that return seconds.

    Attributes:
        monotonic: a clock that never goes back; only differences between its values mean anything.
        wall: Unix time.
        thread: the processor and waiting time of the calling thread; takes the current value of
            ``monotonic``.
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    thread: Callable[[float], ThreadTimes] = _unknown


def _system() -> Clock:
    # freezegun replaces the functions in `time` and every module global that refers to one. It
    # does not find a second, private copy of the built-in module, even if this module is first
    # imported inside a frozen test.
    spec = importlib.machinery.BuiltinImporter.find_spec("time")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Clock(module.perf_counter, module.time, ThreadClock(module.thread_time))


SYSTEM = _system()
