"""Budgets: limits on handlers' statistics, from keywords or text, and the check of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .names import HandlerName
from .stats import FIELDS, TIME_FIELDS, HandlerStats
from .units import duration, seconds

LIMITED = tuple(field for field in FIELDS if field != "last_call")
"""The statistics that a budget can limit."""


class Budget(NamedTuple):
    """The most that the statistics of some handlers may come to.

    Attributes:
        pattern: a selector or full name; ``*``, ``?`` and ``[…]`` as in a shell.
        limits: the largest value allowed, by statistic; times in seconds.
    """

    pattern: str
    limits: Mapping[str, float]

    def fits(self, name: HandlerName) -> bool:
        """Whether the budget is for the handler ``name``."""
        return fnmatchcase(name.handler, self.pattern) or fnmatchcase(name.full, self.pattern)

    def __str__(self) -> str:
        limits = (f"{field}<={_shown(field, limit)}" for field, limit in self.limits.items())
        return f"{self.pattern} {' '.join(limits)}"


class Violation(NamedTuple):
    """A statistic that is over its budget.

    Attributes:
        name: the handler; ``None`` where the budget's pattern fits none that was called.
        field: the statistic.
        value: what it came to.
        limit: the most it was allowed to be.
        budget: the budget that says so.
    """

    name: HandlerName | None
    field: str
    value: float
    limit: float
    budget: Budget

    def __str__(self) -> str:
        if self.name is None:
            return f"{self.budget.pattern}: never called; the budget is {self.budget}"
        value, limit = _shown(self.field, self.value), _shown(self.field, self.limit)
        return f"{self.name.handler}: {self.field} is {value}, the budget is {limit}"


def budget(pattern: str, limits: Mapping[str, Any]) -> Budget:
    """A budget from keywords, as ``assert_budget`` takes them.

    Args:
        pattern: which handlers.
        limits: for each statistic the most it may be; a time as seconds or as text with a unit.

    Raises:
        TypeError, ValueError: there is no limit, an unknown statistic, or a value that is none.

    Example:
        >>> str(budget("users.*", {"max_time": "100ms", "calls": 3}))
        'users.* max_time<=100 ms calls<=3'
    """
    if not limits:
        raise ValueError(f"{pattern}: no limit is given; accepted: {', '.join(LIMITED)}")
    return Budget(pattern, {field: _limit(field, value) for field, value in limits.items()})


def parse(text: str) -> Budget:
    """A budget from a line such as ``users.* max_time<=100ms calls<=3``.

    Raises:
        ValueError: the line is something else.
    """
    pattern, *parts = text.replace("<=", " <= ").split() or [""]
    fields, signs = parts[0::3], parts[1::3]
    if not pattern or len(parts) % 3 or any(sign != "<=" for sign in signs):
        raise ValueError(
            f"{text!r} is not a budget; accepted: a handler, then limits such as max_time<=100ms"
        )
    limits: dict[str, str] = {}
    for field, value in zip(fields, parts[2::3], strict=True):
        if field in limits:
            raise ValueError(f"{field}: limited twice in {text!r}")
        limits[field] = value
    return budget(pattern, limits)


def check(one: Budget, handlers: Mapping[HandlerName, HandlerStats]) -> list[Violation]:
    """Where ``handlers`` are over the budget; one that fits no called handler is broken too."""
    called = {name: stats for name, stats in handlers.items() if stats.calls and one.fits(name)}
    if not called and one.limits.get("calls") == 0 and any(map(one.fits, handlers)):
        return []
    if not called:
        field, limit = next(iter(one.limits.items()))
        return [Violation(None, field, 0, limit, one)]
    found = []
    for name, stats in called.items():
        values: Mapping[str, Any] = stats.statistics()
        for field, limit in one.limits.items():
            if values[field] > limit:
                found.append(Violation(name, field, values[field], limit, one))
    return found


def _limit(field: str, value: Any) -> float:
    if field not in LIMITED:
        near = get_close_matches(field, LIMITED, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{field}: no statistic that can be limited; accepted: {', '.join(LIMITED)}{hint}"
        )
    if field in TIME_FIELDS:
        return seconds(value, field)
    # Text is read as a count, but a count is not text: "3" and 3, not "3.0" or 3.5.
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{field}: {value!r} is no count; accepted: a whole number, zero or more")
    return value


def _shown(field: str, value: float) -> str:
    return duration(value) if field in TIME_FIELDS else f"{value:,.0f}"
