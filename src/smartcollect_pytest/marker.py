"""The budgets of one test: those of its ``collect_budget`` markers, and those of each test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smartcollect import HandlerName, HandlerStats
    from smartcollect.profiles.budgets import Budget
    from smartcollect.storage.rows import Call

NAME = "collect_budget"
_HELP = (
    "fail the test where a statistic of the handler, or of each that a pattern such as 'users.*' "
    "fits, is over its limit while the test runs, fixtures left out; times in seconds or as text "
    "such as '100ms'. At least one limit."
)


def signature(whole: bool) -> str:
    """Return the line that registers the marker.

    Args:
        whole: whether it names each statistic, for which the library is imported.
    """
    limits = "**limits"
    if whole:
        from smartcollect.storage.fields import LIMITED

        limits = f"*, {', '.join(LIMITED)}"
    return f"{NAME}(handler, {limits}): {_HELP}"


def budgets_of(item: pytest.Item) -> list[list[Budget]]:
    """The budgets of the markers of a test, those of its nearest node first.

    Raises:
        ValueError: a marker has arguments that are none; one line tells which.
    """
    from smartcollect.profiles.budgets import budget

    ranks: dict[object, list[Budget]] = {}
    for node, mark in item.iter_markers_with_node(NAME):
        shown = [repr(value) for value in mark.args]
        shown += [f"{key}={value!r}" for key, value in mark.kwargs.items()]
        where = f"@pytest.mark.{NAME}({', '.join(shown)})"
        if len(mark.args) != 1 or not isinstance(mark.args[0], str) or not mark.args[0].strip():
            raise ValueError(f"{where}: accepted: one handler, then limits such as calls=3")
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
    """Why a test fails, with a table of the calls that broke its budgets; ``None`` if it does not.

    Args:
        ranks: what `budgets_of` returns: each has to fit a handler that was called.
        each_test: the budgets of each test, which hold where the markers limit nothing.
        handlers: what the test called, and the handlers that it could have called.
        calls: its calls.
    """
    from smartcollect.assertions import over_budget
    from smartcollect.profiles.budgets import over, unreached

    marked = [one for rank in ranks for one in rank]
    broken = unreached(marked, handlers) + over([*ranks, each_test], handlers)
    return over_budget(broken, calls) if broken else None
