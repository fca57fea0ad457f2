"""Says what takes long at the end of a run, to somebody who watches a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PATIENCE = 0.7
"""Seconds that a terminal may be silent before it says what takes long."""


@contextmanager
def telling(config: pytest.Config, what: str) -> Iterator[None]:
    """Say ``what`` is going on, in one line, if it is still going on after `PATIENCE`.

    Where there is no terminal nobody waits, and the same run writes the same log each time.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        yield
        return

    def tell() -> None:
        reporter.ensure_newline()
        reporter.write_line(f"smartcollect: {what} ...")
        reporter.flush()

    timer = Timer(PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
