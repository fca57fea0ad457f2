"""What each test spent in which handler, as properties in pytest's JUnit file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartcollect import HandlerName, HandlerStats


class Totals:
    """Adds up the phases of one test after the other."""

    def __init__(self) -> None:
        self._handlers: dict[HandlerName, HandlerStats] = {}

    def add(self, report: Any, handlers: Mapping[HandlerName, HandlerStats]) -> None:
        """Counts a phase; the report of the last one gets the properties."""
        if report.when == "setup":
            self._handlers = {}
        for name, stats in handlers.items():
            if name in self._handlers:
                self._handlers[name].merge(stats)
            else:
                self._handlers[name] = stats.copy()
        if report.when == "teardown" and self._handlers:
            from smartcollect.text import one_line

            report.user_properties += [
                (
                    # XML has no control characters, not even escaped.
                    f"smartcollect.{one_line(name.full)}",
                    f"calls={stats.calls} errors={stats.errors} total_time={stats.total_time:.9f}",
                )
                for name, stats in sorted(self._handlers.items())
            ]
