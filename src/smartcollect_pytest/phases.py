"""Profiles of test phases, attached to pytest's reports so that each phase counts once."""

from __future__ import annotations

import unittest
from collections.abc import Sequence

# Imported by name, because test suites patch these functions.
from os import getpid, urandom
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from smartcollect import Profile

    from .capture import Capture
    from .junit import Totals

ATTRIBUTE = "smartcollect"
"""The attribute of a report that holds parts."""
PHASES = ("setup", "call", "teardown")


class Part(NamedTuple):
    """The calls of one phase, in one attempt of a test.

    Attributes:
        key: a unique id across all processes.
        test: the node id of the test.
        when: the phase: setup, call or teardown.
        outcome: the outcome of the phase, in pytest's words.
        duration: the length of the phase in seconds.
        calls: the profile of the calls, packed if it comes from another process. ``None`` without
            calls.
        window: the data for a trace, if one is written: a `Window`, or its fields as plain data.
    """

    key: str
    test: str
    when: str
    outcome: str
    duration: float
    calls: Profile | str | None
    window: Sequence[Any] | None = None


class Parts:
    """The parts of this process that are not yet in a logged report.

    A part is taken from the capture when its phase ends. A phase can make many reports (subtests)
    or none (plugins that rerun a test and report only the last attempt), and a report may never be
    logged. So each report of a test carries all parts of the test, until one report is logged.

    Args:
        capture: the recorder of calls.
        worker: whether this is an xdist worker, so that another process collects the parts.
        totals: statistics per test, if the JUnit file needs them.
    """

    def __init__(self, capture: Capture, worker: bool, totals: Totals | None = None) -> None:
        self._capture = capture
        self._totals = totals
        self._worker = worker
        self._process = getpid()
        self._waiting: dict[str, Part] = {}
        self._running: list[float] = []
        self._ended = ("", "")

    def begin(self) -> None:
        """Start a test, and drop the calls before it."""
        self._capture.discard()
        self._ended = ("", "")
        if self._totals is not None:
            self._totals.begin()

    def enter(self, test: str, when: str) -> None:
        """Start a phase of a test."""
        # The calls that hooks of other plugins made since the last phase.
        self._take(test, when, "passed", 0.0)
        if self._totals is not None and when == "setup":
            self._totals.begin()
        self._running.append(self._capture.now())

    def leave(self, test: str, when: str, error: BaseException | None) -> None:
        """End the phase started by `enter`.

        Args:
            test: the node id of the test.
            when: the phase.
            error: the exception that ended the phase, or ``None``.
        """
        duration = self._capture.now() - self._running.pop()
        self._ended = (test, when)
        self._take(test, when, _outcome(error), duration, whole=True)

    def _take(
        self, test: str, when: str, outcome: str, duration: float, whole: bool = False
    ) -> None:
        profile, tracer = self._capture.take(), self._capture.tracer
        window = None if tracer is None else tracer.window(test, when, outcome, whole)
        if profile is None and window is None:
            return
        key = urandom(8).hex()
        self._waiting[key] = Part(key, test, when, outcome, duration, profile, window)
        if self._totals is not None and profile is not None:
            self._totals.add(profile.called())

    def load(self, report: Any) -> None:
        """Attach to ``report`` the parts of its test that were not in a logged report yet."""
        # A report inside a phase, such as a subtest: the calls belong to the phase.
        if self._running:
            return
        # Plugins that run tests themselves may not call pytest's hooks for the phases.
        seen = self._ended == (report.nodeid, report.when)
        duration = 0.0 if seen else report.duration
        self._take(report.nodeid, report.when, report.outcome, duration, whole=not seen)
        # Inside one process the key is enough. Workers and forked tests send the whole part.
        packs = self._worker or getpid() != self._process
        riding = [
            tuple(_packed(part)) if packs else part.key
            for part in self._waiting.values()
            if part.test == report.nodeid
        ]
        if riding:
            setattr(report, ATTRIBUTE, riding)
        if self._totals is not None and report.when == "teardown":
            self._totals.write(report)

    def logged(self, report: Any) -> list[Part]:
        """Return the parts on a report that is being logged.

        The last part of the report's phase gets the outcome of the report.
        """
        parts = []
        for one in getattr(report, ATTRIBUTE, None) or ():
            known = self._waiting.pop(one if type(one) is str else one[0], None)
            if known is not None:
                parts.append(known)
            elif type(one) is not str:
                parts.append(Part(*one))
        own = next((n for n, part in enumerate(parts[::-1], 1) if part.when == report.when), None)
        if own is not None:
            parts[-own] = parts[-own]._replace(outcome=report.outcome)
        return parts

    def rest(self) -> list[Part]:
        """Return the parts that were not in any logged report."""
        waiting, self._waiting = self._waiting, {}
        return [_packed(part) if self._worker else part for part in waiting.values()]


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "passed"
    if isinstance(error, (pytest.skip.Exception, unittest.SkipTest)):
        return "skipped"
    # pytest has no outcome for these exceptions, because it stops.
    stopped = (pytest.exit.Exception, KeyboardInterrupt)
    return "interrupted" if isinstance(error, stopped) else "failed"


def _packed(part: Part) -> Part:
    from smartcollect.profiles.packing import pack

    if part.window is not None:
        part = part._replace(window=tuple(part.window))
    if part.calls is None or isinstance(part.calls, str):
        return part
    return part._replace(calls=pack(part.calls))
