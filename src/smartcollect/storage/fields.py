"""The table of statistics: what each is called, what kind of number it is, and what it means.

Limits of budgets, what a comparison takes, `Stats.sort_by`, the columns of the summary, the schema
of a report and the help of the marker all come from here. A new statistic is one entry of
`Statistics` and its computation in `HandlerStats.statistics`.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, NamedTuple, TypedDict, get_type_hints

from ..checks import WHOLE_NUMBER, is_whole_number
from ..units import duration, moment, percent, seconds, share


class Kind(Enum):
    """What kind of number a statistic is, and its unit."""

    COUNT = ""
    TIME = "seconds"
    SHARE = "from 0 to 1"
    MOMENT = "Unix seconds"


class Statistic(NamedTuple):
    """One statistic of a handler.

    Attributes:
        kind: what kind of number it is; the kind's value is the unit.
        description: what it means.
        column: its heading in tables; ``""`` where they leave it out.
        sums: whether it grows with the number of calls.
    """

    kind: Kind
    description: str
    column: str = ""
    sums: bool = False

    @property
    def limited(self) -> bool:
        """Whether a budget or a comparison can limit it."""
        return self.kind is not Kind.MOMENT

    def text(self, value: float | None) -> str:
        """Return ``value`` as people read it, with its unit.

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
        """Return what was given as the most that the statistic may be.

        Args:
            name: the statistic; errors begin with it.
            value: a count, a time as seconds or text such as ``"100ms"``, a share as a number from
                0 to 1 or text such as ``"10%"``.

        Raises:
            TypeError, ValueError: ``value`` is none of these.
        """
        if self.kind is Kind.TIME:
            return seconds(value, name)
        if self.kind is Kind.SHARE:
            return share(value, name)
        # Text is read as a count, but a count is not text: "3" and 3, not "3.0" or 3.5.
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if not is_whole_number(number):
            raise ValueError(f"{name}: {value!r} is no count; accepted: {WHOLE_NUMBER}")
        return int(number)


_COUNT, _TIME, _SHARE, _MOMENT = Kind


class Statistics(TypedDict):
    """The statistics of one handler: a number for each entry of `STATISTICS`."""

    calls: Annotated[int, Statistic(_COUNT, "calls that ended", "calls", sums=True)]
    errors: Annotated[int, Statistic(_COUNT, "calls that raised", "errors", sums=True)]
    error_rate: Annotated[float, Statistic(_SHARE, "share of the calls that raised")]
    total_time: Annotated[float, Statistic(_TIME, "time in all calls", "total", sums=True)]
    self_time: Annotated[
        float,
        Statistic(_TIME, "the same without the time in other recorded handlers", "self", sums=True),
    ]
    avg_time: Annotated[float, Statistic(_TIME, "mean time of a call", "avg")]
    steady_time: Annotated[
        float,
        Statistic(
            _TIME,
            "median of the time without waiting for a processor; that of all time where calls "
            "take less than half a millisecond",
            "steady",
        ),
    ]
    min_time: Annotated[float, Statistic(_TIME, "shortest call")]
    p50_time: Annotated[float, Statistic(_TIME, "median, within 2 %")]
    p95_time: Annotated[float, Statistic(_TIME, "95th percentile, within 2 %", "p95")]
    p99_time: Annotated[float, Statistic(_TIME, "99th percentile, within 2 %")]
    max_time: Annotated[float, Statistic(_TIME, "longest call", "max")]
    last_call: Annotated[
        float | None,
        Statistic(_MOMENT, "when the last call began, in Unix seconds; null before the first"),
    ]


def _table() -> dict[str, Statistic]:
    hints = get_type_hints(Statistics, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


STATISTICS = _table()
"""The statistics by name, in the order in which tables show them."""
LIMITED = tuple(name for name, one in STATISTICS.items() if one.limited)
"""The statistics that a budget or a comparison can limit."""


def named(text: str) -> str:
    """Return the statistic that ``text`` names: in full, as its column, or without ``_time``.

    Example:
        >>> named("avg"), named("errors"), named("p99"), named("speed")
        ('avg_time', 'errors', 'p99_time', 'speed')
    """
    if text in STATISTICS:
        return text
    known = {one.column: name for name, one in STATISTICS.items() if one.column}
    return known.get(text, f"{text}_time" if f"{text}_time" in STATISTICS else text)
