"""Budgets of a single test, from ``collect_budget`` markers and ``smartcollect_test_budgets``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smartcollect import HandlerName, HandlerStats
    from smartcollect.profiles.budgets import Budget, Violation
    from smartcollect.storage.rows import Call

NAME = "collect_budget"
_HELP = (
    "fail the test if the handler exceeds a limit during the test's call phase, such as calls=3 or "
    "max_time='100ms'. handler is a name or a pattern such as 'users.*'; times are seconds or text "
    "with a unit. Pass at least one limit."
)


def signature(whole: bool) -> str:
    """Return the line that registers the marker with pytest.

    Args:
        whole: whether to list all statistics, which imports the library.
    """
    limits = "**limits"
    if whole:
        from smartcollect.storage.fields import LIMITED

        limits = f"*, {', '.join(LIMITED)}"
    return f"{NAME}(handler, {limits}): {_HELP}"


def budgets_of(item: pytest.Item) -> list[list[Budget]]:
    """Return the budgets of a test's markers, grouped by node (function, class, …), nearest first.

    Raises:
        ValueError: A marker has wrong arguments. The message is one line that shows the marker.
    """
    from smartcollect.profiles.budgets import budget

    ranks: dict[object, list[Budget]] = {}
    for node, mark in item.iter_markers_with_node(NAME):
        shown = [repr(value) for value in mark.args]
        shown += [f"{key}={value!r}" for key, value in mark.kwargs.items()]
        where = f"@pytest.mark.{NAME}({', '.join(shown)})"
        if len(mark.args) != 1 or not isinstance(mark.args[0], str) or not mark.args[0].strip():
            raise ValueError(f"{where}: pass one handler, then limits such as calls=3")
        try:
            ranks.setdefault(node, []).append(budget(mark.args[0].strip(), mark.kwargs))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from None
    return list(ranks.values())


def failure(
    ranks: Sequence[Iterable[Budget]],
    each_test: Iterable[Budget],
    handlers: Mapping[HandlerName, HandlerStats],
    calls: Iterable[Call],
) -> str | None:
    """Return why a test fails, with a table of the calls over budget; ``None`` if it passes.

    Args:
        ranks: budgets as `budgets_of` returns them. Each has to match a handler that was called,
            unless it limits calls to 0.
        each_test: budgets of every test. They apply to handlers and statistics that the markers
            do not limit.
        handlers: statistics of the test's calls, and of registered handlers without calls.
        calls: calls of the test.
    """
    from smartcollect.assertions import over_budget
    from smartcollect.profiles.budgets import over, unreached

    marked = [one for rank in ranks for one in rank]
    broken = unreached(marked, handlers) + over([*ranks, each_test], handlers)

    def source(one: Violation) -> str:
        return "" if one.budget in marked else "smartcollect_test_budgets"

    return over_budget(broken, calls, source) if broken else None
