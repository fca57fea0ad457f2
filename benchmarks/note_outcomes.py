"""A pytest plugin that writes the outcome of each phase of each test to a file.

Loaded into the test suite of another project, with and without `watch_everything`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_LONGEST = 4_000
_times = os.times  # bound at import, because suites replace functions of modules


def _seconds() -> float:
    """Return the processor time of this process and of its finished children.

    Wall time would include the load of the machine and the waits of the suite.
    """
    return sum(_times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the output file."""
    parser.addoption("--note-outcomes", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Start noting outcomes."""
    config.pluginmanager.register(_Notes(config.getoption("--note-outcomes")))


class _Notes:
    """Writes one line for each event, so that the lines before a crash are kept."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._began = 0.0

    def _write(self, **line: Any) -> None:
        # The file stays open, because a test may replace the functions of the file system.
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self._write(**_noted(report.nodeid, "collect", report))

    # Last, so that the preparations of `watch_everything` do not count.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        self._began = _seconds()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(test=nodeid, phase="start")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(**_noted(report.nodeid, str(report.when), report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._write(phase="end", seconds=_seconds() - self._began, exit=int(exitstatus))

    def pytest_unconfigure(self) -> None:
        self._file.close()


def _noted(test: str, phase: str, report: Any) -> Mapping[str, str]:
    outcome = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = f"x{outcome}"
    text = str(report.longrepr or "")[-_LONGEST:] if report.outcome == "failed" else ""
    # Addresses in the names of tests differ from run to run.
    return {"test": _ADDRESS.sub("0x…", test), "phase": phase, "outcome": outcome, "text": text}
