"""``Batch``: calls that ended, and what they came to; ``Delivery``: one that a sink is given."""

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


def profile_of(summary: Summary, rules: Rules) -> Profile:
    """Return the profile of what a store or a subscription remembers."""
    snapshot = rules.new_snapshot()
    slowest = [rules.named(Call.of(serialized(call, snapshot))) for call in summary.slowest]
    return Profile.of(summary._replace(slowest=slowest))


class Batch:
    """Calls that ended in some span of time, and what they came to.

    `CallLog.drain` returns one. Entries are made when they are asked for: reading ``profile`` only
    does not pay for them.

    Args:
        rows: returns the calls.
        profile: what they came to, those included that ``rows`` does not have.
        rules: how they were recorded.

    Attributes:
        profile: the statistics of all calls of the batch, its slowest calls, exceptions, repeats
            and edges: a `Profile`, which merges with those of other batches.
    """

    def __init__(self, rows: Rows, profile: Profile, rules: Rules) -> None:
        self.profile = profile
        self._taken = rows
        self._rows: list[Row] | None = None
        self._rules = rules

    @property
    def count(self) -> int:
        """How many calls ended, those included that are not among ``calls``."""
        return sum(stats.calls for stats in self.profile.handlers.values())

    @property
    def rows(self) -> list[Row]:
        """The calls as plain rows; see `smartcollect.storage.rows.Call`."""
        # Not a cached property: in Python 3.11 one lock guards those of all batches, and a child
        # that is forked while another thread holds it would wait for ever.
        if self._rows is None:
            self._rows = list(self._plain())
        return self._rows

    def _plain(self, monotonic: bool = False) -> Iterator[Row]:
        """Yield the calls as plain data."""
        snapshot = self._rules.new_snapshot()
        return (serialized(row, snapshot) for row in self._taken(monotonic=monotonic))

    @property
    def history(self) -> list[Entry]:
        """The calls, in the order in which they ended, as `CallLog.history` returns them."""
        context = self._rules.settings.include_context
        return [entry_of(row, context) for row in self.rows]

    @property
    def calls(self) -> list[TracedEntry]:
        """The same with everything that is known of them: thread, task, parent call, end."""
        return list(map(traced_entry_of, self.rows))

    def export(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the batch to a file, whole or not at all, as `CallLog.export` does.

        Args:
            path: the file.
            format: see `CallLog.export`.

        Raises:
            ValueError: there is no such format.
            OSError: the file cannot be written; one that was there is as it was.
        """
        called = {name: stats.statistics() for name, stats in self.profile.called().items()}
        rules = self._rules
        head = heading(rules.settings.to_dict(), rules.snapshot.failures, stats_of(called))

        def calls() -> Iterator[Row]:
            return map(rules.named_row, self._plain(monotonic=True))

        export_calls(path, format, head, self.history, calls)


class Delivery(Batch):
    """A `Batch` as a sink is given it: what was called since the one before.

    Args:
        rows: returns the calls that the sink wants.
        minutes: what all calls came to, by Unix minute.
        rules: how they were recorded.
        dropped: how many calls found no room.
        since, until: Unix seconds.

    Attributes:
        minutes: the profiles that ``profile`` is merged from: by Unix minute (Unix seconds divided
            by 60), what the calls that began in it came to.
        dropped: how many calls are in ``profile`` but not among ``calls``, because the queue of the
            subscription was full.
        since: when the batch before was taken, or the subscription was made, in Unix seconds.
        until: when this batch was taken.
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
