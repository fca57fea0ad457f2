"""The trace of a run: calls collected per test phase, and the files made from them."""

from __future__ import annotations

from math import inf
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcollect import Profile
    from smartcollect.recording.recorder import Recorder
    from smartcollect.reports.traces.timeline import Window
    from smartcollect.storage.buffer import Buffer
    from smartcollect.storage.packed import Packed
    from smartcollect.storage.store import Store
    from smartcollect.storage.tally import Summary


class Tracer:
    """Collector of the calls of each phase, in a process that runs tests.

    Args:
        process: the name of this process.
        limit: maximum number of calls in the trace; 0 for all.
    """

    def __init__(self, process: str, limit: int) -> None:
        self._process = process
        self._limit = limit or inf
        self._store: Store | None = None

    def begin(self, recorder: Recorder) -> None:
        """Keep the calls that ``recorder`` records from now on."""
        from smartcollect.reports.traces.files import to_wall
        from smartcollect.storage.buffer import Buffer

        self._recorder, self._store = recorder, recorder.store
        self._buffer: Buffer = Buffer(self._store, self._limit)
        self._to_wall = to_wall()
        self._since = self._until = self._now()
        self._calls: list[Packed] = []

    def _now(self) -> int:
        from smartcollect.reports.traces.slices import nanoseconds

        assert self._store is not None
        return nanoseconds(self._store.now())

    def take(self, store: Store, wanted: bool) -> Summary | None:
        """Return a summary of the calls since the last one, and keep the calls for `window`.

        Args:
            store: the store of the calls.
            wanted: whether a test made these calls; other calls are dropped.
        """

        def both() -> Summary | None:
            summary = store.take()
            self._calls = self._buffer.take(wanted)
            return summary

        self._since = self._until
        summary = store.settle(both)
        self._until = self._now()
        return summary

    def window(self, test: str, when: str, outcome: str, whole: bool) -> Window | None:
        """Return the calls of the last `take` as a window, or ``None`` if there is none to show.

        Args:
            test: the node id of the test.
            when: the phase.
            outcome: the outcome of the phase.
            whole: whether the calls are the phase itself and not calls just before or after it.
        """
        if self._store is None or not (self._calls or whole):
            return None
        from smartcollect.reports.traces.files import names_of_threads
        from smartcollect.reports.traces.slices import Packs
        from smartcollect.reports.traces.timeline import Window

        taken, self._calls = self._calls, []
        named = self._recorder.rules.named_row
        calls = Packs.of(named(row) for some in taken for row in some.rows(monotonic=True))
        threads = {*calls.threads, get_ident()}
        return Window(
            process=self._process,
            to_wall=self._to_wall,
            since=self._since,
            until=self._until,
            first=min(calls.first or self._since, self._since),
            main=get_ident(),
            threads=[one for one in names_of_threads() if one[0] in threads],
            test=test,
            phase=when if whole else "",
            outcome=outcome,
            number=calls.number,
            packs=calls.packs,
        )


class Trace:
    """The windows of a run, collected from reports, and the trace files made from them.

    Args:
        limit: maximum number of calls in the trace; 0 for all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit or inf
        self._room = self._limit
        self._windows: list[Window] = []

    def add(self, window: Window) -> None:
        """Add a window. Its calls stay packed; a million calls take about 30 MB."""
        if not self._room:
            window = window._replace(number=0, packs=())
        self._room -= min(window.number, self._room)
        self._windows.append(window)

    def write(self, path: Path, profile: Profile) -> str:
        """Write a trace file, as a whole or not at all, and return how many calls it shows.

        Args:
            path: the file.
            profile: the profile of the run, with the total number of calls.

        Raises:
            OSError: The file cannot be written.
        """
        from smartcollect.names import short_names
        from smartcollect.reports.traces.files import write_trace
        from smartcollect.reports.traces.timeline import Timeline
        from smartcollect.text import plural

        timeline = Timeline(self._windows, short_names(profile.handlers), self._limit)
        called = sum(stats.calls for stats in profile.handlers.values())
        left_out = called - timeline.calls
        path.parent.mkdir(parents=True, exist_ok=True)
        write_trace(path, timeline, {"left_out": left_out, "incomplete": list(profile.incomplete)})
        shown = plural(timeline.calls, "call")
        if left_out:
            shown += f"; {left_out:,} left out by --smartcollect-trace-limit"
        return shown
