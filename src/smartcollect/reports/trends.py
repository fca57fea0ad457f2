"""``Trends``, a list of trends that prints itself as a table."""

from __future__ import annotations

from ..names import short_names
from ..profiles.steps import COUNTED, TIMED
from ..profiles.trend import FEWEST, Step, Trend
from ..storage.fields import STATISTICS
from ..text import plural
from ..units import moment
from . import tables

_COMMIT = 12


class Trends(list[Trend]):
    """The trends of handlers over many runs: a list of `Trend` that prints its steps as a table.

    Example:
        >>> print(Trends())
        no handler changed in 0 runs, too few to judge (6 are needed for calls, 13 for times)
    """

    @property
    def steps(self) -> list[Step]:
        """The steps of all handlers, in the order of the runs in which they first show."""
        return sorted((step for one in self for step in one.steps), key=lambda step: step.created)

    def __str__(self) -> str:
        steps = self.steps
        note = ""
        if not all(one.is_steadied for one in self):
            note = f"\nnot corrected for the drift of the machine: that needs {FEWEST} handlers"
        if not steps:
            runs = max((len(one.created) for one in self), default=0)
            few = f", too few to judge times ({TIMED} are needed)" if runs < TIMED else ""
            if runs < COUNTED:
                few = f", too few to judge ({COUNTED} are needed for calls, {TIMED} for times)"
            return f"no handler changed in {plural(runs, 'run')}{few}{note}"
        names = short_names(one.name for one in self)
        table = tables.table(
            {
                "handler": names[step.name],
                "statistic": step.field,
                "before": STATISTICS[step.field].text(step.before),
                "after": STATISTICS[step.field].text(step.after),
                "ratio": f"{step.ratio:.2f}",
                "since": moment(step.created),
                "commit": step.commit[:_COMMIT],
            }
            for step in steps
        )
        return f"{table}{note}"
