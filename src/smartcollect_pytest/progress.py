"""Progress lines on the terminal for slow steps at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PATIENCE = 0.7
"""Seconds that a step may take before a line about it is printed."""


@contextmanager
def announce(config: pytest.Config, what: str) -> Iterator[None]:
    """Print a line about a step if the step takes longer than `PATIENCE`.

    Print nothing if the output is not a terminal, to keep logs of CI the same from run to run.

    Args:
        config: pytest's configuration.
        what: description of the step, such as "writing report.json".
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        yield
        return

    def write() -> None:
        reporter.ensure_newline()
        reporter.write_line(f"smartcollect: {what} ...")
        reporter.flush()

    timer = Timer(PATIENCE, write)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
