"""The part of the HTML report that describes each handler."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...names import HandlerName
from ...profiles.growth import Change
from ...profiles.rules import BEST
from ...profiles.trend import Step, Trend
from ...storage.fields import STATISTICS
from ...storage.statistics import HandlerStats
from ...text import plural
from ...units import duration, moment
from . import pictures
from .cells import Cell, Labels, Table, count, grouped, raised, repeated, slow, test, time
from .material import Material
from .tests import used_by_test

_ROWS = 5
"""The most rows of each table of a handler: calls, tests, callers and others."""


class Neighbours(NamedTuple):
    """The callers of a handler, or the handlers that it calls.

    Attributes:
        title: ``Called by`` or ``Calls``.
        entries: a cell for each of them, and a text about its calls.
        more: the number of handlers that are left out.
    """

    title: str
    entries: Sequence[tuple[Cell, str]]
    more: int


@dataclass(frozen=True)
class HandlerPage:
    """The description of one handler.

    Attributes:
        label: the unique name in the report.
        id: the id of the HTML element, the target of links.
        full: the switcher or module, and the name there.
        brief: a summary in a few words.
        numbers: the statistics: names and texts.
        histogram: a picture of the times of its calls.
        trend: a picture of its time over the last runs; ``""`` if there are none.
        notes: differences from earlier runs, and runs in which its time changed for good.
        neighbours: its callers, and the handlers that it calls.
        tables: its tests, slow calls, errors and repeated calls.
    """

    label: str
    id: str
    full: str
    brief: str
    numbers: Sequence[tuple[str, str]]
    histogram: str
    trend: str
    notes: Sequence[str]
    neighbours: Sequence[Neighbours]
    tables: Sequence[Table]


class HandlerPages:
    """The descriptions of all handlers that were called.

    Args:
        material: the data of the run.
        labels: the names of handlers in the report.
    """

    def __init__(self, material: Material, labels: Labels) -> None:
        profile, found = material.profile, material.comparison
        self._profile, self._labels = profile, labels
        self._tests = used_by_test(profile)
        self._callers = grouped(profile.edges, "child")
        self._callees = grouped(profile.edges, "parent")
        self._slowest = grouped(profile.slowest, "name")
        self._raised = grouped(profile.raised, "name")
        self._repeats = grouped(profile.repeats, "parent"), grouped(profile.repeats, "child")
        self._changes = grouped(() if found is None else found.changes, "name")
        self._developments = material.developments()

    def __iter__(self) -> Iterator[HandlerPage]:
        """Yield the description of each handler, sorted by name."""
        called = self._profile.called()
        for name in sorted(called, key=self._labels.__getitem__):
            yield self._page(name, called[name])

    def _page(self, name: HandlerName, stats: HandlerStats) -> HandlerPage:
        values: Mapping[str, Any] = stats.statistics()
        numbers = [
            (field, STATISTICS[field].text(values[field]))
            for field in STATISTICS
            if field != "error_rate" or stats.errors
        ]
        if stats.computing is not None:
            numbers.append(("computing", f"{stats.computing * 100:.0f} %"))
        marks = {"median": values["p50_time"], "p95": values["p95_time"]}
        line, known = self._developments.get(name, ("", None))
        return HandlerPage(
            self._labels[name],
            self._labels.id(name),
            name.path,
            f"{plural(stats.calls, 'call')}, {dict(numbers)['total_time']}",
            [(field.replace("_", " "), text) for field, text in numbers],
            pictures.histogram(stats.histogram, marks),
            "" if known is None else _trend(known, line),
            [*map(_change, self._changes.get(name, [])), *map(_step, known.steps if known else ())],
            list(self._neighbours(name, stats.calls)),
            [table for table in self._tables(name) if table.rows],
        )

    def _neighbours(self, name: HandlerName, calls: int) -> Iterator[Neighbours]:
        for title, key, edges in (
            ("Called by", "parent", self._callers.get(name, [])),
            ("Calls", "child", self._callees.get(name, [])),
        ):
            entries = [
                (
                    self._labels.cell(getattr(one, key)),
                    f"{plural(one.calls, 'call')}, {duration(one.total_time)}",
                )
                for one in edges[:_ROWS]
            ]
            outside = calls - sum(one.calls for one in edges) if key == "parent" else 0
            if entries and outside > 0:
                entries.append((Cell("other code"), plural(outside, "call")))
            if entries:
                yield Neighbours(title, entries, max(0, len(edges) - _ROWS))

    def _tables(self, name: HandlerName) -> Iterator[Table]:
        labels = self._labels
        tests = self._tests.get(name, [])
        longest = [
            [test(node_id), count(calls), count(errors), time(seconds)]
            for seconds, calls, errors, node_id in heapq.nlargest(_ROWS, tests)
        ]
        more = len(tests) - len(longest)
        yield Table("Tests", ["test", "calls", "errors", "time"], longest, more, {}, "tests-of")
        calls = self._slowest.get(name, [])
        heads = ["elapsed", "arguments", "raised", "test"]
        yield _cut("Slowest calls", heads, [slow(one) for one in calls])
        errors = [[*raised(one), test(one.test)] for one in self._raised.get(name, [])]
        yield _cut("Errors", ["calls", "raised", "message", "test"], errors)
        heads = ["times", "calls", "arguments", "test"]
        parents, children = self._repeats
        for title, key, repeats in (
            ("Repeats", "child", parents.get(name, [])),
            ("Repeated by", "parent", children.get(name, [])),
        ):
            rows = [[labels.cell(getattr(one, key)), *repeated(one)] for one in repeats]
            yield _cut(title, ["handler", *heads], rows)


def _cut(title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    return Table(title, headings, rows[:_ROWS], max(0, len(rows) - _ROWS))


def _trend(known: Trend, line: str) -> str:
    places = {created: place for place, created in enumerate(known.created)}
    steps = [places[step.created] for step in known.steps if step.field == BEST]
    ends = moment(known.created[0])[:10], moment(known.created[-1])[:10]
    return pictures.trend(known.times, steps, ends, line)


def _step(step: Step) -> str:
    before, after = map(STATISTICS[step.field].text, (step.before, step.after))
    commit = f", commit {step.commit[:12]}" if step.commit else ""
    return f"{step.field}: {before} before, {after} since {moment(step.created)}{commit}"


def _change(one: Change) -> str:
    before, after = map(STATISTICS[one.field].text, (one.before, one.after))
    verdict = f"; {'regression: ' if one.regression else ''}{one.why}" if one.why else ""
    return f"{one.field}: {before} in earlier runs, {after} now{verdict}"
