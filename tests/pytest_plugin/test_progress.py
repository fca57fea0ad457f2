"""What takes long at the end of a run is named, on a terminal."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace

import pytest

from smartcollect_pytest import progress


class Reporter:
    def __init__(self, isatty):
        self.isatty = isatty
        self.lines = []
        self.told = Event()

    def ensure_newline(self): ...

    def write_line(self, line):
        self.lines.append(line)

    def flush(self):
        self.told.set()


@pytest.fixture
def run():
    """A config whose terminal reporter is the one that is given."""

    def run(reporter):
        return SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda _: reporter))

    return run


def test_what_takes_long_is_named(run, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    reporter = Reporter(isatty=True)
    with progress.announce(run(reporter), "comparing with 10 runs"):
        assert reporter.told.wait(60)
    assert reporter.lines == ["smartcollect: comparing with 10 runs ..."]


def test_what_takes_no_time_is_not_named(run, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 3600)
    reporter = Reporter(isatty=True)
    with progress.announce(run(reporter), "judging"):
        pass
    assert reporter.lines == []


@pytest.mark.parametrize("reporter", [None, Reporter(isatty=False)], ids=["none", "log"])
def test_a_log_does_not_depend_on_how_long_it_takes(run, reporter, monkeypatch):
    monkeypatch.setattr(progress, "Timer", None)
    with progress.announce(run(reporter), "judging"):
        pass
