"""Hooks of a profiled run, from the calls of tests to the summary and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

# Imported by name, because test suites patch these functions.
from json import dumps, loads
from typing import TYPE_CHECKING, Any

import pytest

from . import options, report
from .capture import Capture
from .history import History
from .junit import Totals
from .options import Options
from .phases import Part, Parts
from .progress import announce
from .selection import Selection
from .session import Session
from .terminal import Terminal
from .trace import Trace, Tracer
from .watching import Watching

if TYPE_CHECKING:
    from pathlib import Path

    from smartcollect import Profile
    from smartcollect.profiles.verdict import Verdict
    from smartcollect.reports.summary import Section

WORKER_OUTPUT = "smartcollect"
"""The key under which an xdist worker sends its results when it ends."""

_NO_TEST_RUNS = (
    *("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test"),
    *("help", "markers", "version"),
)
"""Options with which pytest runs no tests, by their internal names."""


class Profiler:
    """Hooks of a profiled run, in a single process, on an xdist worker, or on the controller.

    Raises:
        pytest.UsageError: A file or database in the options cannot be used.
    """

    def __init__(self, config: pytest.Config, capture: Capture, given: Options) -> None:
        self._config = config
        self._capture = capture
        self._options = given
        self._trace = Trace(given.trace_limit) if given.trace else None
        self._session = Session(self._trace)
        self._selection = Selection()
        config.pluginmanager.register(self._selection, "smartcollect-selection")
        self._watching = Watching(config, given.watch)
        self._profile: Profile | None = None
        self._verdict: Verdict | None = None
        self._broken_hooks: list[str] = []
        self._made: list[str] = []
        # Read now, because tests may replace sys.stdout.
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._worker = hasattr(config, "workerinput")
        if given.trace:
            worker = getattr(config, "workerinput", {"workerid": "main"})
            capture.tracer = Tracer(worker["workerid"], given.trace_limit)
        self._parts = Parts(capture, self._worker, Totals() if given.junit else None)
        self._idle = any(config.getoption(name, False) for name in _NO_TEST_RUNS)
        if not self._worker and not self._idle:
            self._history = History(config, given)
        if not self._worker:
            self._check_files()

    def _check_files(self) -> None:
        """Raise an error for files that cannot be written, before the first test runs."""
        written: dict[str, str] = {}
        for name in ("report", "trace"):
            for path in getattr(self._options, name):
                file = os.path.realpath(path)
                refusal = report.refusal(path)
                if file in written:
                    refusal = f"--smartcollect-{written[file]} already writes this file"
                written[file] = name
                if refusal is not None:
                    raise options.refuse(self._config, self._options, name, path, refusal)

    # -- where tests run -------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        # Not earlier, because pytest-cov misses modules imported before the collection.
        if not self._idle:
            if not self._worker and (self._options.history or self._options.report):
                # Before the first test, because files may be edited while tests run.
                self._session.note_revision(self._config)
            self._capture.begin()
            if self._capture.refusal:
                self._session.end_early(self._capture.refusal)

    # Old-style wrappers, so that exceptions of tests have no frame of this module in the traceback.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, None]:
        self._parts.begin()
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, None]:
        self._parts.enter(item.nodeid, "setup")
        self._parts.leave(item.nodeid, "setup", (yield).exception)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        self._parts.enter(item.nodeid, "call")
        self._parts.leave(item.nodeid, "call", (yield).exception)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, None]:
        self._parts.enter(item.nodeid, "teardown")
        self._parts.leave(item.nodeid, "teardown", (yield).exception)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        # Handlers of an application that several tests share belong to no single test.
        if fixturedef.scope == "function":
            return (yield)
        with self._capture.outside():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        made = yield
        self._parts.load(made)
        return made

    # -- where reports arrive --------------------------------------------------------------------

    # Last, because hooks of other plugins may change the outcome.
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        parts = self._parts.logged(report)
        # Workers log reports too, but they are counted on the controller.
        if not self._worker:
            self._session.add(report, parts)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._session.end_early("collection failed")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if error == "keyboard-interrupt":
            self._session.end_early("interrupted")
        elif error:
            self._session.lose_worker()
        output = (getattr(node, "workeroutput", None) or {}).get(WORKER_OUTPUT)
        if output is not None:
            counted, rest, watched = loads(output)
            self._selection.add(*counted)
            self._watching.add(*watched)
            self._session.take(Part(*one) for one in rest)

    # -- when all is over ------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        counted, rest = self._selection.counted(session), self._parts.rest()
        if self._worker:
            output = dumps((counted, rest, self._capture.unmet()))
            self._config.workeroutput[WORKER_OUTPUT] = output  # type: ignore[attr-defined]
            return
        if self._idle:
            return
        self._selection.add(*counted)
        self._session.take(rest)
        if self._capture.begun and not self._config.pluginmanager.hasplugin("dsession"):
            self._watching.add(*self._capture.unmet())
        if exitstatus not in (0, 1, 5):
            self._session.end_early("interrupted")
        # On the controller of xdist there are no items. xdist itself reports a run that stopped.
        elif not self._selection.finished(session):
            self._session.end_early("stopped early")
        failures = self._finish()
        if failures and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _finish(self) -> bool:
        """Judge the run and write its files; return whether the run fails."""
        from smartcollect.profiles.verdict import Expectations, Verdict, judge
        from smartcollect.text import plural

        if self._capture.refusal and not self._capture.begun:
            self._verdict = Verdict(notes=(f"incomplete: {self._capture.refusal}",))
            return False
        profile = self._profile = self._session.profile(self._config, self._machine())

        def partial() -> str:
            return "".join(profile.incomplete[:1]) or self._selection.left_out(self._config)

        missed, notes = self._watching.missed(), [*self._watching.notes(profile)]
        with announce(self._config, "reading earlier runs"):
            baseline, failures = self._history.baseline(profile)
        if self._options.compare and not baseline and not failures:
            notes.append(self._history.nothing())
        expected = self._options.part(Expectations)
        runs = f"comparing with {plural(len(baseline), 'run')}" if baseline else "judging the run"
        with announce(self._config, runs):
            verdict = judge(profile, expected, baseline, partial, missed)
        self._call("pytest_smartcollect_profile", profile=profile)
        verdict = verdict.failing(*failures, *self._broken_hooks).noting(*notes)
        with announce(self._config, "adding this run to the database"):
            self._verdict, added = self._history.add(verdict, profile, partial())
        self._write_files(profile)
        if added:
            self._made.append(added)
        return bool(self._verdict.failures)

    def _write_files(self, profile: Profile) -> None:
        def page() -> str:
            return self._page(profile)

        for path in self._options.report:
            with self._writing("report", path):
                report.write_report(path, profile, self._sections, page)
        for path in self._options.trace:
            assert self._trace is not None
            with self._writing("trace", path) as made:
                made.append(f" ({self._trace.write(path, profile)})")

    @contextmanager
    def _writing(self, what: str, path: Path) -> Iterator[list[str]]:
        """Note that a file was written. An error fails the run, but does not stop the summary.

        Yields:
            The text of the note, as a list of pieces to extend.
        """
        from smartcollect.text import MAX_TEXT, one_line, short_path

        pieces = [f"generated smartcollect {what}: {short_path(path)}"]
        try:
            with announce(self._config, f"writing {short_path(path)}"):
                yield pieces
        except Exception as error:
            why = isinstance(error, OSError) and error.strerror
            why = why or one_line(f"{type(error).__name__}: {error}", MAX_TEXT)
            assert self._verdict is not None
            self._verdict = self._verdict.failing(f"{path}: not written: {why}")
        else:
            self._made.append("".join(pieces))

    def _machine(self) -> dict[str, str]:
        """Return the facts about the machine from other plugins."""
        hook, machine = "pytest_smartcollect_machine_info", {}
        for facts in self._call(hook):
            if isinstance(facts, Mapping):
                machine.update({str(key): str(text) for key, text in facts.items()})
            elif facts is not None:
                self._broken_hooks.append(f"{hook} returned {facts!r}; return a dict of text")
        return machine

    def _call(self, hook: str, **given: object) -> list[Any]:
        """Call one of our hooks and return the results. An error does not stop the summary."""
        try:
            return list(getattr(self._config.hook, hook)(config=self._config, **given))
        except Exception as error:
            self._broken_hooks.append(f"{hook} raised {type(error).__name__}: {error}")
            return []

    def _page(self, profile: Profile) -> str:
        """Return the HTML report."""
        from smartcollect.profiles.verdict import Expectations
        from smartcollect.reports.html import html
        from smartcollect.text import short_path

        trends, notes = self._history.trends(profile)
        return html(
            profile,
            self._verdict.noting(*notes) if self._verdict is not None else None,
            expectations=self._options.part(Expectations),
            trends=trends,
            compared_with=[short_path(str(one)) for one in self._options.compare],
        )

    def _sections(self, whole: bool = False) -> Sequence[Section]:
        from smartcollect.profiles.verdict import Verdict
        from smartcollect.reports.summary import Layout, sections

        verdict = self._verdict or Verdict()
        return sections(self._profile, verdict, self._options.part(Layout), whole)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._idle:
            verbosity = self._config.option.verbose
            writer = Terminal(terminalreporter, self._encoding)
            writer.write(self._sections(verbosity > 0), self._made, verbosity)
