"""``Batch``: calls that ended, with their statistics. ``Delivery``: the batch a sink receives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ..profiles.merge import merge
from ..profiles.profile import Profile
from ..recording.rules import Rules, serialized
from ..reports.exports import export_calls, heading, stats_of
from ..storage.ring import Rows
from ..storage.rows import Call, Entry, Row, TracedEntry, entry_of, traced_entry_of
from ..storage.tally import Summary
from ..text import plural


def profile_of(summary: Summary, rules: Rules) -> Profile:
    """Return the profile of a summary, with the names and rules of its log."""
    snapshot = rules.new_snapshot()
    slowest = [rules.named(Call.of(serialized(call, snapshot))) for call in summary.slowest]
    return Profile.of(summary._replace(slowest=slowest))


class Batch:
    """Calls that ended in a span of time, with their statistics.

    `CallLog.drain` returns a batch. Entries are built on first use, so reading only ``profile``
    is cheap.

    Args:
        rows: a function that returns the calls.
        profile: the statistics of all calls, including calls that ``rows`` no longer has.
        rules: the rules that the calls were recorded with.

    Attributes:
        profile: a `Profile` with the statistics of all calls of the batch, the slowest calls,
            exceptions, repeated calls and edges. It can be merged with other profiles.
    """

    def __init__(self, rows: Rows, profile: Profile, rules: Rules) -> None:
        self.profile = profile
        self._taken = rows
        self._rows: list[Row] | None = None
        self._rules = rules

    def __repr__(self) -> str:
        errors = sum(stats.errors for stats in self.profile.handlers.values())
        return f"<{type(self).__name__}: {plural(self.count, 'call')}, {plural(errors, 'error')}>"

    @property
    def count(self) -> int:
        """The number of calls that ended, including calls that are not in ``calls``."""
        return sum(stats.calls for stats in self.profile.handlers.values())

    @property
    def rows(self) -> list[Row]:
        """The calls as plain tuples, in the order of `Call`; use ``calls`` for dicts."""
        # Not a cached_property: in Python 3.11 all instances share one lock, and a child that is
        # forked while another thread holds it would wait forever.
        if self._rows is None:
            self._rows = list(self._plain())
        return self._rows

    def _plain(self, monotonic: bool = False) -> Iterator[Row]:
        """Yield the calls as plain data."""
        snapshot = self._rules.new_snapshot()
        return (serialized(row, snapshot) for row in self._taken(monotonic=monotonic))

    @property
    def history(self) -> list[Entry]:
        """The calls in the order in which they ended, as `CallLog.history` returns them."""
        context = self._rules.settings.include_context
        return [entry_of(row, context) for row in self.rows]

    @property
    def calls(self) -> list[TracedEntry]:
        """The calls of the batch as dicts: ``history`` plus thread, task, parent call and end."""
        return list(map(traced_entry_of, self.rows))

    def export(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the batch to a file, as `CallLog.export` does.

        Args:
            path: the file.
            format: see `CallLog.export`.

        Raises:
            ValueError: the format is unknown.
            OSError: the file cannot be written. An existing file is left unchanged.
        """
        called = {name: stats.statistics() for name, stats in self.profile.called().items()}
        rules = self._rules
        head = heading(rules.settings.to_dict(), rules.snapshot.failures, stats_of(called))

        def calls() -> Iterator[Row]:
            return map(rules.named_row, self._plain(monotonic=True))

        export_calls(path, format, head, self.history, calls)


class Delivery(Batch):
    """The `Batch` that a sink receives: all calls since the previous batch.

    Args:
        rows: a function that returns the calls selected for the sink.
        minutes: the statistics of all calls, by Unix minute.
        rules: the rules that the calls were recorded with.
        dropped: the number of calls that did not fit into the queue.
        since, until: the span of the batch in Unix seconds.

    Attributes:
        minutes: the profiles that ``profile`` is merged from, by the Unix minute (Unix seconds
            divided by 60) in which the calls began.
        dropped: the number of calls that are in ``profile`` but not in ``calls``, because the queue
            of the subscription was full.
        since: the time of the previous batch, or of the subscription, in Unix seconds.
        until: the time of this batch in Unix seconds.
    """

    def __init__(
        self,
        rows: Rows,
        minutes: Mapping[int, Profile],
        rules: Rules,
        dropped: int,
        since: float,
        until: float,
    ) -> None:
        super().__init__(rows, merge(minutes.values()), rules)
        self.minutes = minutes
        self.dropped = dropped
        self.since = since
        self.until = until
