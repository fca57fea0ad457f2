"""The assertions of a log, for tests: a failure shows the calls that broke it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .checks import whole_number
from .names import HandlerName
from .profiles import budgets
from .reports import tables
from .storage.rows import Call
from .storage.statistics import HandlerStats
from .units import duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 10
"""Calls in the table of a failure."""


class Assertions:
    """The assertion helpers of a `CallLog`. Each fails on a handler that was never called.

    They judge by all calls since the last ``clear()``; the tables in their failures show those
    that the history still has.
    """

    def _handlers(self) -> Mapping[HandlerName, HandlerStats]:
        raise NotImplementedError

    def _find(self, handler: str) -> HandlerName:
        raise NotImplementedError

    def _calls(self) -> list[Call]:
        raise NotImplementedError

    def assert_none_slower_than(self, threshold: float | str, handler: str | None = None) -> None:
        """Fails unless each call took at most ``threshold``.

        Args:
            threshold: seconds, or text such as ``"100ms"``.
            handler: judges this one's calls only.

        Raises:
            AssertionError: a call took longer, or there was none.
            TypeError, ValueError: ``threshold`` is no duration.

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
        """Fails unless ``handler`` was called.

        Args:
            handler: its selector or full name.
            times: exactly so often; at least once when left out.

        Raises:
            AssertionError: it was not, or there is no such handler.
            TypeError, ValueError: ``times`` is no whole number, or negative.

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
            raise AssertionError(
                f"{name.shown} was called {_times(stats.calls)}, not {_times(times)}{_shown(calls)}"
            )

    def assert_not_called(self, handler: str) -> None:
        """Fails if ``handler`` was called.

        Args:
            handler: its selector or full name.

        Raises:
            AssertionError: it was, or there is no such handler.

        Example:
            ``collect.assert_not_called("users.delete")``
        """
        __tracebackhide__ = True
        name, stats = self._one(handler)
        if stats.calls:
            calls = [call for call in self._calls() if call.name == name]
            raise AssertionError(f"{name.shown} was called {_times(stats.calls)}{_shown(calls)}")

    def assert_no_errors(self, handler: str | None = None) -> None:
        """Fails if a call raised.

        Args:
            handler: judges this one's calls only.

        Raises:
            AssertionError: a call raised, or there was none.

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
        """Fails if a statistic of ``handler`` is over its limit.

        Args:
            handler: a selector, a full name, or a pattern such as ``"users.*"``.
            limits: for each statistic the most it may be: ``calls=3``, ``max_time="100ms"``. For a
                pattern, each handler that it fits is held to them.

        Raises:
            AssertionError: one is over, or no such handler was called.
            TypeError, ValueError: an unknown statistic, or a limit that is none.

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
        """The statistics of the called handlers that an assertion is about: one at least."""
        __tracebackhide__ = True
        if handler is not None:
            name, stats = self._one(handler)
            if not stats.calls:
                raise AssertionError(f"{name.shown} was never called{self._called()}")
            return {name: stats}
        called = {name: stats for name, stats in self._handlers().items() if stats.calls}
        if not called:
            raise AssertionError("no handler was called, so there is nothing to judge")
        return called

    def _called(self) -> str:
        names = sorted(name.shown for name, stats in self._handlers().items() if stats.calls)
        return f"; called: {', '.join(names[:SHOWN])}" if names else "; no other handler was either"


def over_budget(broken: Iterable[budgets.Violation], calls: Iterable[Call]) -> str:
    """What is over its budget, a line for each, and a table of the calls that did it."""
    broken = list(broken)
    names = {violation.name for violation in broken} - {None}
    lines = "\n".join(map(str, broken))
    if not names:
        return lines
    offending = [call for call in calls if call.name in names]
    return lines + _shown(sorted(offending, key=lambda call: -call.elapsed))


def _shown(calls: list[Call]) -> str:
    if not calls:
        return "\n(the history has none of these calls any more)"
    more = f"\n… {len(calls) - SHOWN:,} more" if len(calls) > SHOWN else ""
    return f"\n{tables.calls(calls[:SHOWN])}{more}"


def _listed(names: Iterable[HandlerName]) -> str:
    return ", ".join(sorted(name.shown for name in names))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
