"""The hooks of a run that is profiled: from what tests call to the summary and the exit status."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from . import options, report, terminal
from .capture import Capture
from .junit import Totals
from .options import Options
from .selection import left_out
from .session import Session

if TYPE_CHECKING:
    from smartcollect import Profile
    from smartcollect.profiles.verdict import Verdict
    from smartcollect.reports.summary import Section


class Profiler:
    """What a profiled run does, on its own, on a worker of xdist and where the workers report.

    Raises:
        pytest.UsageError: a file that was given cannot be used.
    """

    def __init__(self, config: pytest.Config, capture: Capture, given: Options) -> None:
        self._config = config
        self._capture = capture
        self._options = given
        self._session = Session()
        self._totals = Totals()
        self._deselected = 0
        self._running: pytest.Item | None = None
        self._finished: set[str] = set()
        self._profile: Profile | None = None
        self._verdict: Verdict | None = None
        self._broken_hooks: list[str] = []
        self._files: list[Path] = []
        self._worker = hasattr(config, "workerinput")
        # With --collect-only and the like no test runs.
        self._idle = any(config.getoption(name, False) for name in ("collectonly", "setupplan"))
        self._baseline = None if self._worker else _baseline(config, given)
        if not self._worker:
            for path in given.report:
                refusal = report.refusal(path)
                if refusal is not None:
                    raise options.refuse(config, "report", path, refusal)

    # -- where tests run -------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        # Not earlier: what is imported before tests are collected is lost to pytest-cov.
        if not self._idle:
            self._capture.begin()
            if self._capture.refusal:
                self._session.end_early(self._capture.refusal)

    @pytest.hookimpl
    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._deselected += len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self._capture.discard()
        self._running = item

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        # An application that a fixture builds for many tests is none of a single test.
        if fixturedef.scope == "function":
            return (yield)
        with self._capture.outside():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        made = yield
        handlers = self._capture.load(made)
        if self._options.junit:
            self._totals.add(made, handlers)
        return made

    # -- where reports arrive --------------------------------------------------------------------

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A worker of xdist logs its reports too; they count where they are all together.
        if not self._worker:
            self._session.add(report)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._finished.add(nodeid)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._session.end_early("a collection failed")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if error == "keyboard-interrupt":
            self._session.end_early("interrupted")
        elif error:
            self._session.lose_worker()
        told = getattr(node, "workeroutput", None) or {}
        self._deselected = max(self._deselected, json.loads(told.get("smartcollect", "0")))

    # -- when all is over ------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._worker:
            self._config.workeroutput["smartcollect"] = json.dumps(  # type: ignore[attr-defined]
                self._deselected
            )
            return
        if self._idle:
            return
        if self._running is not None and self._running.nodeid not in self._finished:
            # A test that is interrupted has no report of what it did last.
            rest = SimpleNamespace(
                nodeid=self._running.nodeid, when="call", outcome="interrupted", duration=0.0
            )
            self._capture.load(rest)
            self._session.add(rest)
        if exitstatus not in (0, 1, 5):
            self._session.end_early("interrupted")
        # Where xdist distributes the tests there are no items, and it interrupts the run itself.
        elif not self._finished.issuperset(item.nodeid for item in getattr(session, "items", ())):
            self._session.end_early("stopped early")
        failures = self._finish()
        if failures and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _finish(self) -> bool:
        """Judges the run and writes its files; whether it fails."""
        from smartcollect.profiles.verdict import Expectations, Verdict, judge

        if self._capture.refusal and not self._capture.begun:
            self._verdict = Verdict(notes=(f"incomplete: {self._capture.refusal}",))
            return False
        profile = self._profile = self._session.profile(self._config, self._machine())

        def partial() -> str:
            return left_out(self._config, self._deselected) or "".join(profile.incomplete[:1])

        verdict = judge(profile, self._options.part(Expectations), self._baseline, partial)
        self._tell("pytest_smartcollect_profile", profile=profile)
        self._verdict = verdict.failing(*self._broken_hooks)
        for path in self._options.report:
            try:
                report.write_report(path, profile, self._sections(whole=False))
            except OSError as error:
                self._verdict = self._verdict.failing(f"{path}: not written: {error.strerror}")
            else:
                self._files.append(path)
        return bool(self._verdict.failures)

    def _machine(self) -> dict[str, str]:
        """What other plugins tell of the machine."""
        hook, machine = "pytest_smartcollect_machine_info", {}
        for told in self._tell(hook):
            if isinstance(told, Mapping):
                machine.update({str(key): str(text) for key, text in told.items()})
            elif told is not None:
                self._broken_hooks.append(f"{hook} returned {told!r}; accepted: a dict of texts")
        return machine

    def _tell(self, hook: str, **given: object) -> list[Any]:
        """What the implementations of a hook of ours return; none may take the summary along."""
        try:
            return list(getattr(self._config.hook, hook)(config=self._config, **given))
        except Exception as error:
            self._broken_hooks.append(f"{hook} raised {type(error).__name__}: {error}")
            return []

    def _sections(self, whole: bool) -> Sequence[Section]:
        from smartcollect.profiles.verdict import Verdict
        from smartcollect.reports.summary import Layout, sections

        verdict = self._verdict or Verdict()
        return sections(self._profile, verdict, self._options.part(Layout), whole)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._idle:
            verbosity = self._config.option.verbose
            terminal.write(
                terminalreporter, self._sections(verbosity > 0), self._files, verbosity < 0
            )


def _baseline(config: pytest.Config, given: Options) -> Profile | None:
    if given.compare is None:
        return None
    from smartcollect.profiles.files import load

    try:
        return load(given.compare)
    except ValueError as error:
        raise options.refuse(config, "compare", given.compare, str(error)) from None
