"""The clock that calls are timed with, held where freezing libraries do not replace it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Two functions that return seconds.

    Attributes:
        monotonic: never goes back; its zero means nothing.
        wall: Unix time.
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float]


def _system() -> Clock:
    # freezegun puts its own functions into `time` and into every module global that holds one
    # of time's; a second, private copy of the built-in module is out of its sight, also when
    # this module is first imported inside of a frozen test.
    spec = importlib.machinery.BuiltinImporter.find_spec("time")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Clock(module.perf_counter, module.time)


SYSTEM = _system()
