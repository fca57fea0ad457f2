"""What the phases of a test did, and how it rides on their reports."""

from __future__ import annotations

import json
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartcollect import CallLog, HandlerName, Profile

ATTRIBUTE = "smartcollect"
"""The attribute of a report. Its value is one JSON string, which every serializer can carry."""


class Capture:
    """Records the calls of each handler in this process."""

    def __init__(self) -> None:
        self._log: CallLog | None = None
        self._watching = ExitStack()
        # The handlers that were registered outside of tests, and those that a report told of.
        self._registered: set[HandlerName] = set()
        self._told: set[HandlerName] = set()

    def begin(self) -> None:
        """Watches all handlers from now on, those included that are registered already."""
        with warnings.catch_warnings():
            # What smartswitch warns of at its import is not the fault of the suite.
            warnings.simplefilter("ignore")
            try:
                from smartcollect.calllog import CallLog
                from smartcollect.settings import Settings
                from smartcollect.switcher import everywhere
            except ImportError:  # without smartswitch there is no handler to watch
                return

        self._log = CallLog(Settings(max_history=0))
        self._watching.enter_context(everywhere(self._log))

    def end(self) -> None:
        """The run is over."""
        self._watching.close()

    def discard(self) -> None:
        """Forgets what was called outside of a test: xdist would count it once a worker.

        What was registered there is kept. Handlers that a test registers are its own affair, and
        nobody misses their calls.
        """
        if self._log is not None:
            self._registered.update(self._log.store.take().handlers)

    def load(self, report: Any) -> None:
        """Puts on ``report`` what was called since the last report."""
        if self._log is None:
            return
        from smartcollect import HandlerStats, Profile

        summary = self._log.store.take()
        handlers = {name: stats for name, stats in summary.handlers.items() if stats.calls}
        for name in self._registered - self._told:
            handlers.setdefault(name, HandlerStats())
        self._told |= self._registered
        profile = Profile.of(summary._replace(handlers=handlers))
        if profile.handlers:
            setattr(report, ATTRIBUTE, json.dumps(profile.to_dict(), allow_nan=False))


def unload(report: Any) -> Profile | None:
    """The profile that rides on ``report``, as that of its test."""
    from smartcollect import Profile

    text = getattr(report, ATTRIBUTE, None)
    if text is None:
        return None
    return Profile.from_dict(json.loads(text)).in_test(report.nodeid)
