"""Budgets: limits on handlers' statistics, from keywords or text, and the check of a profile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from ..names import HandlerName, no_such
from ..storage.fields import LIMITED, STATISTICS
from ..storage.statistics import HandlerStats
from ..text import printable


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
        return name.like(self.pattern)

    def __str__(self) -> str:
        limits = (
            f"{field}<={STATISTICS[field].text(limit)}" for field, limit in self.limits.items()
        )
        return f"{self.pattern} {' '.join(limits)}"


class Violation(NamedTuple):
    """A statistic that is over its budget.

    Attributes:
        name: the handler; ``None`` where the budget's pattern fits none that was called.
        field: the statistic.
        limit: the most it was allowed to be.
        budget: the budget that says so.
        value: what it came to.
        hint: what the pattern may have meant, where no handler has such a name.
    """

    name: HandlerName | None
    field: str
    limit: float
    budget: Budget
    value: float = 0
    hint: str = ""

    @property
    def excess(self) -> float:
        """How many times the limit the value is."""
        return self.value / self.limit if self.limit else math.inf

    def __str__(self) -> str:
        if self.name is None:
            hint = f"; {self.hint}" if self.hint else ""
            line = f"{self.budget.pattern}: never called; the budget is {self.budget}{hint}"
            return printable(line)
        value, limit = map(STATISTICS[self.field].text, (self.value, self.limit))
        return f"{self.name.shown}: {self.field} is {value}, the budget is {limit}"


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
        raise ValueError(
            f"{pattern}: no limit is given, such as calls<=3; accepted: {', '.join(LIMITED)}"
        )
    return Budget(pattern, {field: _limit(field, value) for field, value in limits.items()})


def parse_budget(text: str) -> Budget:
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


def over(
    ranks: Iterable[Iterable[Budget]], handlers: Mapping[HandlerName, HandlerStats]
) -> list[Violation]:
    """Where ``handlers`` are over their budgets.

    Args:
        ranks: budgets by how near to the calls they were set, the nearest first. What a nearer
            one limits of a handler, a farther one does not limit any more; budgets of one rank
            hold all together.
        handlers: what was called.
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
    return found


def unreached(
    budgets: Iterable[Budget], handlers: Mapping[HandlerName, HandlerStats]
) -> list[Violation]:
    """The budgets that judge nothing: no handler that they fit was called.

    One that allows no call of a handler that exists is kept, not empty.
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
        near = get_close_matches(field, LIMITED, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{field}: no statistic that can be limited; accepted: {', '.join(LIMITED)}{hint}"
        )
    return STATISTICS[field].limit(field, value)
