"""A pytest plugin that watches every function of a package while its suite runs.

`benchmarks.strangers` loads it into the test suite of another project and compares the outcomes.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from smartcollect import CallLog, HandlerName
from smartcollect.recording import nesting
from smartcollect.recording.settings import LogSettings
from smartcollect.recording.steps import unfinished
from smartcollect.sources import functions
from smartcollect.sources.functions import Watch

_COUNTER = 5
"""The tool id in `sys.monitoring` of the counter that checks smartcollect."""
# Bound at import, because suites may replace them.
_current_frames, _frame = sys._current_frames, sys._getframe


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for the package and for the report."""
    parser.addoption("--watch-package", required=True)
    parser.addoption("--watch-report", type=Path, required=True)
    parser.addoption("--watch-cross-check", action="store_true", help="look for lost calls")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that watches once tests are collected."""
    option = config.getoption
    counter = _Counter() if option("--watch-cross-check") else None
    watching = _Watching(option("--watch-package"), option("--watch-report"), counter)
    config.pluginmanager.register(watching)


class _Counter:
    """Counts the calls of code objects independently, to compare them with the recorded calls."""

    def __init__(self) -> None:
        self.calls: Counter[HandlerName] = Counter()
        self._names: dict[int, HandlerName] = {}
        self._codes: list[CodeType] = []  # kept alive, so that no `id` is reused
        monitoring: Any = sys.monitoring
        monitoring.use_tool_id(_COUNTER, "strangers")
        monitoring.register_callback(_COUNTER, monitoring.events.PY_START, self._started)

    def count(self, code: CodeType, name: HandlerName) -> None:
        """Count the calls of ``code`` from now on."""
        self._codes.append(code)
        self._names[id(code)] = name
        monitoring: Any = sys.monitoring
        monitoring.set_local_events(_COUNTER, code, monitoring.events.PY_START)

    def _started(self, code: CodeType, offset: int) -> None:
        name = self._names.get(id(code))
        if name is not None:
            self.calls[name] += 1


class _Watching:
    """Watches a package, and writes a report at the end.

    Args:
        package: the name of the package, which includes its subpackages.
        path: the file for the report.
        counter: an independent counter of calls, or ``None``.
    """

    def __init__(self, package: str, path: Path, counter: _Counter | None) -> None:
        self._package = package
        self._file = path.open("w", encoding="utf-8")
        self._counter = counter
        self._log = CallLog(LogSettings(max_history=0, objects="type"))
        self._watching = ExitStack()
        self._watch: Watch | None = None

    def pytest_collection_finish(self) -> None:
        watching = functions.watching(self._log.recorder, [self._package])
        self._watch = self._watching.enter_context(watching)
        self._count()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if self._watch is not None:
            self._watch.sweep()
            self._count()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        gc.collect()  # ends abandoned generators
        handlers = self._log.recorder.store.handlers()
        calls = {name: stats.calls for name, stats in handlers.items()}
        report = {
            "functions": len(handlers),
            "calls": sum(calls.values()),
            "seconds": sum(stats.total_time for stats in handlers.values()),
            "failures": self._log.recording_failures,
            "left behind": [*_left_behind()],
            "unfinished": len(unfinished),
            "miscounted": {} if self._counter is None else self._miscounted(calls),
        }
        self._watching.close()
        json.dump(report, self._file)
        self._file.close()

    def _count(self) -> None:
        if self._watch is None or self._counter is None:
            return
        for name, function in self._watch.new_functions():
            self._counter.count(function.__code__, name)

    def _miscounted(self, calls: dict[HandlerName, int]) -> dict[str, tuple[int, int]]:
        """Return the counted and the recorded calls of each function for which they differ."""
        counted = self._counter.calls if self._counter is not None else Counter[HandlerName]()
        now: Counter[HandlerName] = Counter()
        for stack in nesting.all_stacks():
            now.update(one[nesting.PROBE].name for one in stack if one[nesting.PROBE] is not None)
        for steps in list(unfinished.values()):
            if steps.begun and steps._entry is None:
                now.update(call.probe.name for call in steps.calls)
        return {
            name.full: (counted[name], number + now[name])
            for name, number in calls.items()
            if counted[name] != number + now[name]
        }


def _left_behind() -> Iterator[str]:
    """Yield calls on the stacks of the recorder whose frames no longer run."""
    running: set[int] = set()
    for top in _current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            running.add(id(frame))
            frame = frame.f_back
    for stack in nesting.all_stacks():
        for entry in stack[1:]:
            at = entry[nesting.AT]
            if at is not None and type(at).__name__ == "frame" and id(at) not in running:
                yield str(at)
