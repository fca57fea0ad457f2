"""Budgets: limits on the statistics of handlers, and the check of called handlers against them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..names import HandlerName, Names, did_you_mean, no_such
from ..storage.fields import LIMITED, STATISTICS
from ..storage.statistics import HandlerStats
from ..text import printable


class Budget(NamedTuple):
    """Upper limits on statistics, for the handlers that a pattern matches.

    Attributes:
        pattern: a selector or full name; ``*``, ``?`` and ``[…]`` work as in a shell.
        limits: the largest allowed value of each limited statistic; times in seconds.
    """

    pattern: str
    limits: Mapping[str, float]

    def fits(self, name: HandlerName) -> bool:
        """Return whether the budget applies to the handler ``name``."""
        return name.like(self.pattern)

    def __str__(self) -> str:
        limits = (
            f"{field}<={STATISTICS[field].text(limit)}" for field, limit in self.limits.items()
        )
        return f"{self.pattern} {' '.join(limits)}"


class Violation(NamedTuple):
    """A statistic over its budget, or a budget that applied to no call.

    Attributes:
        name: the handler; ``None`` if no handler that the budget's pattern matches was called.
        field: the statistic.
        limit: the largest allowed value.
        budget: the budget that sets the limit.
        value: the measured value.
        hint: a suggestion, if no handler has a name that the pattern matches; otherwise ``""``.
    """

    name: HandlerName | None
    field: str
    limit: float
    budget: Budget
    value: float = 0
    hint: str = ""

    @property
    def excess(self) -> float:
        """The value divided by the limit; infinite if the limit is 0."""
        return self.value / self.limit if self.limit else math.inf

    def __str__(self) -> str:
        return self.line({})

    def line(self, names: Names) -> str:
        """Return the violation as text.

        Args:
            names: the names to use for handlers; the selector where there is none.
        """
        if self.name is None:
            hint = f"; {self.hint}" if self.hint else ""
            line = f"{self.budget.pattern} was never called; the budget is {self.budget}{hint}"
            return printable(line)
        value, limit = map(STATISTICS[self.field].text, (self.value, self.limit))
        name = printable(names.get(self.name, self.name.handler))
        return f"{name}: {self.field} is {value}, the budget is {limit}"


def budget(pattern: str, limits: Mapping[str, Any]) -> Budget:
    """Return a budget made from keywords, as ``assert_budget`` takes them.

    Args:
        pattern: a selector or full name, or a pattern of such names.
        limits: the largest allowed value by statistic; a time in seconds or as text with a unit.

    Raises:
        TypeError, ValueError: ``limits`` is empty, names an unknown statistic, or has a value that
            is not a valid limit.

    Example:
        >>> str(budget("users.*", {"max_time": "100ms", "calls": 3}))
        'users.* max_time<=100 ms calls<=3'
    """
    if not limits:
        raise ValueError(
            f"{pattern}: the budget has no limit; add one such as calls<=3, on any of "
            f"{', '.join(LIMITED)}"
        )
    return Budget(pattern, {field: _limit(field, value) for field, value in limits.items()})


def parse_budget(text: str) -> Budget:
    """Return the budget in a line such as ``users.* max_time<=100ms calls<=3``.

    Raises:
        ValueError: the line is not a budget.
    """
    pattern, *parts = text.replace("<=", " <= ").split() or [""]
    fields, signs = parts[0::3], parts[1::3]
    if not pattern or len(parts) % 3 or any(sign != "<=" for sign in signs):
        raise ValueError(
            "write a handler, then limits with <=, such as users.* max_time<=100ms calls<=3"
        )
    limits: dict[str, str] = {}
    for field, value in zip(fields, parts[2::3], strict=True):
        if field in limits:
            raise ValueError(f"the budget limits {field} twice; keep one limit")
        limits[field] = value
    return budget(pattern, limits)


def over(
    ranks: Iterable[Iterable[Budget]], handlers: Mapping[HandlerName, HandlerStats]
) -> list[Violation]:
    """Return the statistics that are over their budgets, the worst first.

    Args:
        ranks: groups of budgets in order of precedence, such as those of markers before those of
            the ini file. For each handler and statistic, the first rank that sets a limit
            overrides all later ranks. Budgets of the same rank all apply.
        handlers: the statistics of each handler.
    """
    found = []
    decided: set[tuple[HandlerName, str]] = set()
    for rank in ranks:
        here = {
            (name, field, limit): one
            for one in rank
            for name in _reached(one, handlers)
            for field, limit in one.limits.items()
            if (name, field) not in decided
        }
        for (name, field, limit), one in here.items():
            values: Mapping[str, Any] = handlers[name].statistics()
            if values[field] > limit:
                found.append(Violation(name, field, limit, one, values[field]))
        decided.update((name, field) for name, field, _ in here)
    return sorted(found, key=_worst_first)


def _worst_first(one: Violation) -> tuple[float, tuple[str, ...], str]:
    return -one.excess, one.name or (), one.field


def unreached(
    budgets: Iterable[Budget], handlers: Mapping[HandlerName, HandlerStats]
) -> list[Violation]:
    """Return a violation for each budget that applied to no call.

    The budget ``calls<=0`` on an existing handler is met when nothing calls that handler, so it
    is left out.
    """
    found = []
    for one in budgets:
        known = any(map(one.fits, handlers))
        if _reached(one, handlers) or (known and one.limits.get("calls") == 0):
            continue
        hint = "" if known else no_such(handlers, one.pattern)
        found.append(Violation(None, *next(iter(one.limits.items())), one, hint=hint))
    return found


def _reached(one: Budget, handlers: Mapping[HandlerName, HandlerStats]) -> list[HandlerName]:
    return [name for name, stats in handlers.items() if stats.calls and one.fits(name)]


def _limit(field: str, value: Any) -> float:
    if field not in LIMITED:
        hint = did_you_mean(field, LIMITED)
        wrong = "a budget cannot limit" if field in STATISTICS else "unknown statistic"
        raise ValueError(
            f"{wrong} {field!r}; choose from {', '.join(LIMITED)}{hint and f'; {hint}'}"
        )
    return STATISTICS[field].limit(field, value)
