"""The hooks and the fixture. Each run of pytest imports this module, so it imports little."""

from __future__ import annotations

from collections.abc import Generator, Iterator
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


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    # Conftests import applications, whose handlers can be watched only if that begins before.
    _capture(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    capture = _capture(config)
    settings = options.read(config)
    if settings.profile:
        from .session import Session

        capture.record()
        profiler = Profiler(config, capture, Session(settings))
        config.pluginmanager.register(profiler, "smartcollect-profiler")


_CAPTURE: pytest.StashKey[Capture] = pytest.StashKey()


def _capture(config: pytest.Config) -> Capture:
    """The capture of this run, which waits for smartswitch since it was first asked for."""
    if _CAPTURE not in config.stash:
        from .capture import Capture
        from .importing import AfterImport

        capture = config.stash[_CAPTURE] = Capture()
        waiting = AfterImport(capture.begin)
        config.add_cleanup(waiting.remove)
        config.add_cleanup(capture.end)
    return config.stash[_CAPTURE]


class Profiler:
    """The hooks of a run that is profiled."""

    def __init__(self, config: pytest.Config, capture: Capture, session: Session) -> None:
        self._config = config
        self._capture = capture
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> None:
        self._capture.discard()

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
