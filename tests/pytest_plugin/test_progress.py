"""Lines on the terminal about slow steps at the end of a run."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace

import pytest

from smartcollect_pytest import progress


class Reporter:
    def __init__(self, isatty):
        self.isatty = isatty
        self.lines = []
        self.flushed = Event()

    def ensure_newline(self): ...

    def write_line(self, line):
        self.lines.append(line)

    def flush(self):
        self.flushed.set()


@pytest.fixture
def run():
    """Return a function that makes a config with the given terminal reporter."""

    def run(reporter):
        return SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda _: reporter))

    return run


def test_a_slow_step(run, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    reporter = Reporter(isatty=True)
    with progress.announce(run(reporter), "comparing with 10 runs"):
        assert reporter.flushed.wait(60)
    assert reporter.lines == ["smartcollect: comparing with 10 runs ..."]


def test_a_quick_step(run, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 3600)
    reporter = Reporter(isatty=True)
    with progress.announce(run(reporter), "judging"):
        pass
    assert reporter.lines == []


@pytest.mark.parametrize("reporter", [None, Reporter(isatty=False)], ids=["none", "log"])
def test_without_a_terminal_nothing_is_printed(run, reporter, monkeypatch):
    monkeypatch.setattr(progress, "Timer", None)
    with progress.announce(run(reporter), "judging"):
        pass
