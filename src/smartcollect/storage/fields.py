"""The table of statistics: the name, kind of number and description of each.

The limits of budgets, the fields of comparisons, `Stats.sort_by`, the columns of the summary, the
schema of reports and the help of the marker are all derived from it. To add a statistic, add an
entry to `Statistics` and compute it in `HandlerStats.statistics`.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, NamedTuple, TypedDict, get_type_hints

from ..checks import WHOLE_NUMBER, is_whole_number
from ..units import duration, moment, percent, seconds, share


class Kind(Enum):
    """The kind of number of a statistic; the value is its unit."""

    COUNT = ""
    TIME = "seconds"
    SHARE = "from 0 to 1"
    MOMENT = "Unix seconds"


class Statistic(NamedTuple):
    """One statistic of a handler.

    Attributes:
        kind: the kind of number; the value of the kind is the unit.
        description: the meaning of the statistic.
        column: the heading in tables; ``""`` if tables leave it out.
        sums: whether it grows with the number of calls.
    """

    kind: Kind
    description: str
    column: str = ""
    sums: bool = False

    @property
    def limited(self) -> bool:
        """True if a budget or a comparison can limit it."""
        return self.kind is not Kind.MOMENT

    def text(self, value: float | None) -> str:
        """Return ``value`` formatted for people, with its unit.

        Example:
            >>> STATISTICS["avg_time"].text(0.0123), STATISTICS["calls"].text(1200)
            ('12.3 ms', '1,200')
        """
        if value is None:
            return ""
        if self.kind is Kind.TIME:
            return duration(value)
        if self.kind is Kind.SHARE:
            return percent(value)
        return moment(value) if self.kind is Kind.MOMENT else f"{value:,.0f}"

    def limit(self, name: str, value: Any) -> float:
        """Return the upper limit of a budget as a number.

        Args:
            name: the name of the statistic; errors begin with it.
            value: for a count, an integer; for a time, seconds or text such as ``"100ms"``; for a
                share, a number from 0 to 1 or text such as ``"10%"``.

        Raises:
            TypeError, ValueError: ``value`` is not such a limit.
        """
        if self.kind is Kind.TIME:
            return seconds(value, name)
        if self.kind is Kind.SHARE:
            return share(value, name)
        # Accept "3" and 3, but neither "3.0" nor 3.5.
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if not is_whole_number(number):
            raise ValueError(f"{name} must be {WHOLE_NUMBER}, not {value!r}")
        return int(number)


_COUNT, _TIME, _SHARE, _MOMENT = Kind


class Statistics(TypedDict):
    """The statistics of one handler.

    Attributes:
        calls: the number of calls that ended.
        errors: the number of calls that raised.
        error_rate: the share of the calls that raised, from 0 to 1.
        total_time: seconds of all calls.
        self_time: seconds of all calls without the time in other recorded handlers.
        avg_time: seconds of the mean call.
        steady_time: seconds of the median call without waiting for a processor; for calls below
            half a millisecond, and where it is not known, the plain median.
        min_time: seconds of the shortest call.
        p50_time: seconds of the median call, within 2 %.
        p95_time: the 95th percentile in seconds, within 2 %.
        p99_time: the 99th percentile in seconds, within 2 %.
        max_time: seconds of the longest call.
        last_call: the start of the last call in Unix seconds; ``None`` before the first call.
    """

    calls: Annotated[int, Statistic(_COUNT, "calls that ended", "calls", sums=True)]
    errors: Annotated[int, Statistic(_COUNT, "calls that raised", "errors", sums=True)]
    error_rate: Annotated[float, Statistic(_SHARE, "share of calls that raised")]
    total_time: Annotated[float, Statistic(_TIME, "total time of all calls", "total", sums=True)]
    self_time: Annotated[
        float,
        Statistic(_TIME, "total time without the time in other handlers", "self", sums=True),
    ]
    avg_time: Annotated[float, Statistic(_TIME, "mean time per call", "avg")]
    steady_time: Annotated[
        float,
        Statistic(
            _TIME,
            "median time without waiting for a processor; the plain median where that is not "
            "known, as for calls below half a millisecond",
            "steady",
        ),
    ]
    min_time: Annotated[float, Statistic(_TIME, "time of the shortest call")]
    p50_time: Annotated[float, Statistic(_TIME, "median time, within 2 %")]
    p95_time: Annotated[float, Statistic(_TIME, "95th percentile, within 2 %", "p95")]
    p99_time: Annotated[float, Statistic(_TIME, "99th percentile, within 2 %")]
    max_time: Annotated[float, Statistic(_TIME, "time of the longest call", "max")]
    last_call: Annotated[
        float | None,
        Statistic(_MOMENT, "start of the last call, in Unix seconds; null before the first"),
    ]


def _table() -> dict[str, Statistic]:
    hints = get_type_hints(Statistics, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


STATISTICS = _table()
"""The statistics by name, in the order of tables."""
LIMITED = tuple(name for name, one in STATISTICS.items() if one.limited)
"""The statistics that a budget or a comparison can limit."""


def named(text: str) -> str:
    """Return the name of a statistic from its name, its column, or its name without ``_time``.

    Example:
        >>> named("avg"), named("errors"), named("p99"), named("speed")
        ('avg_time', 'errors', 'p99_time', 'speed')
    """
    if text in STATISTICS:
        return text
    known = {one.column: name for name, one in STATISTICS.items() if one.column}
    return known.get(text, f"{text}_time" if f"{text}_time" in STATISTICS else text)
