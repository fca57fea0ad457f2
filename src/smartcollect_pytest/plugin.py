"""The hooks and the fixture. Each run of pytest imports this module, so it imports little."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from . import options

if TYPE_CHECKING:
    from smartcollect import CallLog

    from .capture import Capture
    from .session import Session

HISTORY = 10_000
"""Calls that the ``collect`` fixture retains."""


@pytest.hookimpl
def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    settings = options.read(config)
    if settings.profile:
        from .capture import Capture
        from .session import Session

        capture = Capture()
        config.add_cleanup(capture.end)
        profiler = Profiler(config, capture, Session(settings))
        config.pluginmanager.register(profiler, "smartcollect-profiler")


class Profiler:
    """The hooks of a run that is profiled."""

    def __init__(self, config: pytest.Config, capture: Capture, session: Session) -> None:
        self._config = config
        self._capture = capture
        self._session = session
        self._rest: SimpleNamespace | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        # Not earlier: what is imported before tests are collected is lost to pytest-cov.
        if not self._config.getoption("collectonly"):
            self._capture.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self._capture.discard()
        self._rest = SimpleNamespace(nodeid=item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        self._capture.load(report)
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A worker of xdist logs its reports too; they count where they are all together.
        if not hasattr(self._config, "workerinput"):
            self._session.add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        # A test that is interrupted has no report of what it did last.
        if self._rest is not None and not hasattr(self._config, "workerinput"):
            self._capture.load(self._rest)
            self._session.add(self._rest)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._config.getoption("collectonly"):
            from .terminal import summary

            settings = self._session.settings
            verbosity = (
                self._config.get_verbosity()
                if hasattr(self._config, "get_verbosity")
                else self._config.option.verbose
            )
            summary(terminalreporter, self._session.profile(), settings, verbosity)


@pytest.fixture
def collect() -> Iterator[CallLog]:
    """Each call of each smartswitch handler in this test: a log to ask and to assert on."""
    from smartcollect import collecting

    with collecting(max_history=HISTORY) as log:
        yield log
