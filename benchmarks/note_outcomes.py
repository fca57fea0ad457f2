"""A pytest plugin that writes the outcome of each phase of each test to a file.

It is loaded into the suite of another project, with and without `watch_everything`.
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
_times = os.times  # suites replace what they find in modules


def _seconds() -> float:
    """Return the processor time of this process and of those that it waited for.

    Not the time on a clock: what else runs on the machine, and what a suite waits for, is in that.
    """
    return sum(_times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file to write to."""
    parser.addoption("--note-outcomes", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Note outcomes from now on."""
    config.pluginmanager.register(_Notes(config.getoption("--note-outcomes")))


class _Notes:
    """One line for each thing that happens, so that a crash leaves those before it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._began = 0.0

    def _write(self, **line: Any) -> None:
        # A test may have replaced the file system's functions: the file is open already.
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self._write(**_noted(report.nodeid, "collect", report))

    # The last one: what `watch_everything` has to do before the first test is not counted.
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
    # Addresses in the names of tests are others in each run.
    return {"test": _ADDRESS.sub("0x…", test), "phase": phase, "outcome": outcome, "text": text}
