"""The assertions of a log, for tests. Failures show the calls that caused them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .checks import whole_number
from .names import NO_HANDLERS, HandlerName
from .profiles import budgets
from .reports import tables
from .storage.rows import Call
from .storage.statistics import HandlerStats
from .units import duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 10
"""The maximum number of calls in the table of a failure."""


class Assertions:
    """The assertions of a `CallLog`.

    They judge every call since the last ``clear()``, by the statistics. The table in a failure
    shows the calls that the history still holds.

    An assertion about calls fails if there are none, so that a test cannot pass because of a
    misspelled name or because the code under test never ran. A name that fits no handler fails,
    and the failure suggests the nearest name.
    """

    def _handlers(self) -> Mapping[HandlerName, HandlerStats]:
        raise NotImplementedError

    def _find(self, handler: str) -> HandlerName:
        raise NotImplementedError

    def _calls(self) -> list[Call]:
        raise NotImplementedError

    def assert_none_slower_than(self, threshold: float | str, handler: str | None = None) -> None:
        """Fail if a call took longer than a threshold.

        Args:
            threshold: the longest time that a call may take: seconds, or text such as ``"100ms"``.
            handler: judge only calls of this handler, given by selector or full name. By default,
                the calls of all handlers are judged.

        Raises:
            AssertionError: a call took longer, or there were no calls.
            TypeError: ``threshold`` is neither a number nor text.
            ValueError: ``threshold`` is not a duration, negative or infinite.

        Example:
            >>> import smartcollect
            >>> from smartswitch import Switcher
            >>> api = Switcher("api")
            >>> with smartcollect.collecting(api) as log:
            ...     @api
            ...     def ping(): ...
            ...     ping()
            >>> log.assert_none_slower_than("10s")
        """
        __tracebackhide__ = True
        limit = seconds(threshold, "threshold")
        judged = self._judged(handler)
        slow = {name: stats for name, stats in judged.items() if stats.max_time > limit}
        if slow:
            calls = [call for call in self._calls() if call.name in slow and call.elapsed > limit]
            calls.sort(key=lambda call: -call.elapsed)
            worst = max(slow, key=lambda name: slow[name].max_time)
            raise AssertionError(
                f"{_listed(slow)} took longer than {duration(limit)}; the slowest call took "
                f"{duration(slow[worst].max_time)} ({worst.shown}){_shown(calls)}"
            )

    def assert_called(self, handler: str, times: int | None = None) -> None:
        """Fail unless a handler was called.

        Args:
            handler: the selector or full name of the handler.
            times: the exact number of calls. If left out, one call or more is enough.

        Raises:
            AssertionError: the handler was not called, was called another number of times, or does
                not exist.
            TypeError: ``times`` is not an integer.
            ValueError: ``times`` is negative.

        Example:
            ``collect.assert_called("users.get", times=2)``
        """
        __tracebackhide__ = True
        if times is not None:
            whole_number("times", times)
        name, stats = self._one(handler)
        if times is None and not stats.calls:
            raise AssertionError(f"{name.shown} was never called{self._called()}")
        if times is not None and stats.calls != times:
            calls = [call for call in self._calls() if call.name == name]
            detail = _shown(calls) if stats.calls else self._called()
            raise AssertionError(
                f"{name.shown} was called {_times(stats.calls)}, not {_times(times)}{detail}"
            )

    def assert_not_called(self, handler: str) -> None:
        """Fail if a handler was called.

        Args:
            handler: the selector or full name of the handler.

        Raises:
            AssertionError: the handler was called, or does not exist.

        Example:
            ``collect.assert_not_called("users.delete")``
        """
        __tracebackhide__ = True
        name, stats = self._one(handler)
        if stats.calls:
            calls = [call for call in self._calls() if call.name == name]
            raise AssertionError(f"{name.shown} was called {_times(stats.calls)}{_shown(calls)}")

    def assert_no_errors(self, handler: str | None = None) -> None:
        """Fail if a call raised an exception, even if the caller caught it.

        Args:
            handler: judge only calls of this handler, given by selector or full name. By default,
                the calls of all handlers are judged.

        Raises:
            AssertionError: a call raised, or there were no calls.

        Example:
            ``collect.assert_no_errors("orders.place")``
        """
        __tracebackhide__ = True
        failed = {name: stats for name, stats in self._judged(handler).items() if stats.errors}
        if failed:
            calls = [
                call for call in self._calls() if call.name in failed and call.failure is not None
            ]
            count = sum(stats.errors for stats in failed.values())
            raise AssertionError(f"{_listed(failed)} raised {_times(count)}{_shown(calls)}")

    def assert_budget(self, handler: str, **limits: float | str) -> None:
        """Fail if a statistic of a handler is over its limit.

        Args:
            handler: a selector, a full name, or a pattern such as ``"users.*"``. The limits apply
                to each handler that the pattern matches separately.
            limits: the highest allowed value of each statistic: a number for counts
                (``calls=3``), seconds or text for times (``max_time="100ms"``), a number from 0 to
                1 or text for shares (``error_rate="10%"``). See `Statistics` for their names.

        Raises:
            AssertionError: a statistic is over its limit, or no matching handler was called. With
                ``calls=0``, a handler that exists and was not called passes.
            TypeError: a limit has the wrong type.
            ValueError: no limit is passed, a statistic is unknown, or a limit is not valid for its
                statistic.

        Example:
            ``collect.assert_budget("users.*", calls=3, max_time="100ms")``
        """
        __tracebackhide__ = True
        one = budgets.budget(handler, limits)
        if not any(character in handler for character in "*?["):
            self._one(handler)
        handlers = self._handlers()
        broken = budgets.unreached([one], handlers) + budgets.over([[one]], handlers)
        if broken:
            raise AssertionError(over_budget(broken, self._calls()))

    def _one(self, handler: str) -> tuple[HandlerName, HandlerStats]:
        __tracebackhide__ = True
        try:
            name = self._find(handler)
        except KeyError as error:
            raise AssertionError(str(error)) from None
        return name, self._handlers()[name]

    def _judged(self, handler: str | None) -> dict[HandlerName, HandlerStats]:
        """Return the statistics of the handlers to judge; fail if none of them was called."""
        __tracebackhide__ = True
        if handler is not None:
            name, stats = self._one(handler)
            if not stats.calls:
                raise AssertionError(f"{name.shown} was never called{self._called()}")
            return {name: stats}
        called = {name: stats for name, stats in self._handlers().items() if stats.calls}
        if not called:
            if not self._handlers():
                raise AssertionError(f"there are no calls to check: {NO_HANDLERS}")
            raise AssertionError("no handler was called, so there are no calls to check")
        return called

    def _called(self) -> str:
        names = sorted(name.shown for name, stats in self._handlers().items() if stats.calls)
        return f"; called: {', '.join(names[:SHOWN])}" if names else "; no other handler was called"


def over_budget(
    broken: Iterable[budgets.Violation],
    calls: Iterable[Call],
    source: Callable[[budgets.Violation], str] = lambda _: "",
) -> str:
    """Return one line for each broken budget, and a table of the calls of those handlers.

    Args:
        broken: the broken budgets.
        calls: calls of any handlers.
        source: a function that returns the place where a budget is set, or ``""``.
    """
    broken = list(broken)
    names = {violation.name for violation in broken} - {None}
    places = [source(one) for one in broken]
    lines = "\n".join(
        f"{one} ({place})" if place else str(one) for one, place in zip(broken, places, strict=True)
    )
    if not names:
        return lines
    offending = [call for call in calls if call.name in names]
    return lines + _shown(sorted(offending, key=lambda call: -call.elapsed))


def _shown(calls: list[Call]) -> str:
    if not calls:
        return "\n(the history no longer holds these calls)"
    more = f"\n… {len(calls) - SHOWN:,} more" if len(calls) > SHOWN else ""
    return f"\n{tables.calls(calls[:SHOWN])}{more}"


def _listed(names: Iterable[HandlerName]) -> str:
    return ", ".join(sorted(name.shown for name in names))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
