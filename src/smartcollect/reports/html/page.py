"""The contents of the HTML report as tables and texts, which the templates write as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isinf
from typing import Any, NamedTuple

from ...names import HandlerName
from ...profiles.budgets import over, unreached
from ...profiles.growth import Change
from ...profiles.parts import SLOWEST
from ...profiles.verdict import Verdict
from ...storage.fields import STATISTICS
from ...text import plural
from ...units import duration, moment, probability
from . import pictures
from .cells import Cell, Labels, Table, count, raised, repeated, slow, statistic, test
from .first_looks import Look, first_looks
from .material import Material
from .tests import outcome

COLUMNS = {name: one.column for name, one in STATISTICS.items() if one.column}
BUSY = 0.05
"""The share of waiting for a processor from which on the report mentions it."""
_BARRED = "self_time"
"""The statistic that is also drawn as a bar, relative to the largest value in its column."""
_COMMIT = 12
_CHANGES = 100
"""The most changes in the table, besides regressions; each handler lists its own changes."""


class Status(NamedTuple):
    """The result of the run, for the top of the page.

    Attributes:
        kind: ``passed``, ``failed``, ``incomplete`` or ``unjudged``.
        text: the same as a sentence.
        failures: the causes of failure, a line for each.
        notes: parts of the run that are missing, and expectations that were not judged.
    """

    kind: str
    text: str
    failures: Sequence[str]
    notes: Sequence[str]


class Page:
    """The parts of the report that are not about a single handler.

    Args:
        material: the data of the run.
        labels: the names of handlers in the report.
    """

    def __init__(self, material: Material, labels: Labels) -> None:
        self._material, self._labels = material, labels
        self.profile = material.profile
        self.called = self.profile.called()
        ended = map(outcome, self.profile.tests.values())
        self._failed = sum(one in ("failed", "error") for one in ended)

    def status(self) -> Status:
        """Return the result of the run."""
        verdict = self._material.verdict or Verdict()
        notes = [*(f"incomplete: {why}" for why in self.profile.incomplete), *verdict.notes]
        causes = []
        if verdict.failures:
            causes.append(f"This run fails for {plural(len(verdict.failures), 'reason')}")
        if self._failed:
            causes.append(f"{plural(self._failed, 'test')} failed")
        if causes:
            return Status("failed", "; ".join(causes), verdict.failures, notes)
        return Status(*self._unfailed(verdict), (), notes)

    def _unfailed(self, verdict: Verdict) -> tuple[str, str]:
        """Return the kind and the text of the status of a run that does not fail."""
        expectations, found = self._material.expectations, verdict.comparison
        is_judged = self._material.verdict is not None and expectations.judge_any(found)
        if self.profile.incomplete:
            what = "This run is incomplete, but passes so far" if is_judged else ""
            return "incomplete", what or "This run is incomplete"
        if not self.called:
            return "unjudged", "No handler was called"
        if verdict.partial:
            return "incomplete", "Only a part of the suite ran, and it passes"
        if self._material.verdict is None:
            return "unjudged", "This run was not judged"
        if not is_judged:
            why = "no budget or other limit is set"
            if expectations.compare_fail and found is not None and found.elsewhere:
                why = "the baseline comes from a different machine"
            return "unjudged", f"Nothing was judged: {why}"
        return "passed", "This run passes"

    def totals(self) -> Iterator[tuple[str, str]]:
        """Yield the numbers of the whole run, each with its label."""
        stats = self.called.values()
        errors = sum(one.errors for one in stats)
        yield f"{sum(one.calls for one in stats):,}", "calls"
        yield f"{len(self.called):,} of {len(self.profile.handlers):,}", "handlers called"
        yield f"{errors:,}", "calls that raised"
        yield duration(sum(one.self_time for one in stats)), "in handlers"
        if self.profile.tests:
            yield f"{len(self.profile.tests):,}", "tests that called handlers"
            if self._failed:
                yield f"{self._failed:,}", "of these failed"
        if self.profile.waiting.share >= BUSY:
            yield f"{self.profile.waiting.share * 100:.0f} %", "of the run waiting for a processor"

    def run(self) -> Iterator[tuple[str, str]]:
        """Yield the circumstances of the run: names and texts."""
        run = self.profile.run
        if run is None:
            return
        yield "created", moment(run.created)
        if run.revision is not None:
            changed = ", with uncommitted changes" if run.revision.dirty else ""
            if run.revision.branch:
                yield "branch", run.revision.branch
            yield "commit", f"{run.revision.commit[:_COMMIT]}{changed}"
        yield "command", " ".join(run.command)
        yield from run.machine.items()
        versions = [f"{name} {version}" for name, version in run.versions.items()]
        yield "versions", ", ".join(versions)

    def looks(self) -> list[Look]:
        """Return the findings that are worth a look first."""
        return first_looks(self.profile)

    def handlers(self) -> Table:
        """Return the table of handlers, sorted by total time."""
        tests = self.profile.tests_of()
        known = self._material.developments()
        most = max((one.self_time for one in self.called.values()), default=0.0) or 1.0
        rows = []
        names = sorted(self.called, key=lambda name: (-self.called[name].total_time, name))
        for name in names:
            numbers: Mapping[str, Any] = self.called[name].statistics()
            row = [self._labels.cell(name, "name")]
            for field in COLUMNS:
                cell = statistic(field, numbers[field])
                if field == _BARRED:
                    cell = cell._replace(picture=pictures.bar(numbers[_BARRED] / most))
                row.append(cell)
            row.append(count(tests[name]))
            if known:
                line, trend = known.get(name, ("", None))
                drawn = "" if trend is None else pictures.sparkline(trend.times, line)
                row.append(Cell("", picture=drawn))
            rows.append(row)
        headings = ["handler", *COLUMNS.values(), "tests", *(["trend"] if known else [])]
        meanings = {one.column: one.description for one in STATISTICS.values()}
        return Table("Handlers", headings, rows, 0, meanings, "handlers")

    def budgets(self) -> Table:
        """Return the table of budgets of the run, with the values that they limit."""
        budgets, handlers = self._material.expectations.budgets, self.profile.handlers
        broken = {(one.name, one.field, one.limit) for one in over([budgets], handlers)}
        rows = []
        for one in budgets:
            for name in filter(one.fits, self.called):
                values: Mapping[str, Any] = self.called[name].statistics()
                for field, limit in one.limits.items():
                    value = values[field]
                    bad = (name, field, limit) in broken
                    cells = statistic(field, value), statistic(field, limit)
                    verdict = Cell("over budget", "bad") if bad else Cell("within budget")
                    rows.append([self._labels.cell(name), Cell(field), *cells, verdict])
        for missed in unreached(budgets, handlers):
            nothing = Cell(""), Cell(""), Cell("", "number"), Cell("never called")
            rows.append([Cell(str(missed.budget), "code"), *nothing])
        rows.sort(key=lambda row: row[-1].kind != "bad")
        return Table(
            "Budgets", ["handler", "statistic", "value", "budget", "verdict"], rows, key="budgets"
        )

    def comparison(self) -> Table:
        """Return the table of differences from earlier runs."""
        found = self._material.comparison
        changes = () if found is None else found.changes
        spread = found is not None and found.has_spread
        where = ", ".join(self._material.compared_with)
        if found is not None and found.runs != 1:
            where = f"{plural(found.runs, 'run')}: {where}" if where else f"{found.runs} runs"
        headings = ["handler", "statistic", "before", "after", "ratio", "spread", "p", "verdict"]
        if not spread:
            headings.remove("spread")
        kept = [one for at, one in enumerate(changes) if at < _CHANGES or one.regression]
        rows = [[self._labels.cell(one.name), *_changed(one, spread)] for one in kept]
        title = f"Compared with {where or 'an earlier run'}"
        return Table(title, headings, rows, len(changes) - len(rows), key="comparison")

    def comparison_notes(self) -> Iterator[str]:
        """Yield the notes about the comparison as a whole."""
        found = self._material.comparison
        if found is None:
            return
        if not found.changes:
            yield "No handler was called in both the baseline and this run."
        corrected = "Corrected" if found.drift.is_removed else "Not corrected"
        yield f"{corrected} for the drift of the machine: {found.drift}."
        for what, names in (("New since then", found.added), ("No longer called", found.removed)):
            if names:
                yield f"{what}: {', '.join(self._labels[name] for name in names)}."
        for why in found.incomplete:
            yield f"The baseline is incomplete: {why}."
        if found.left_out:
            yield f"Left out: {plural(found.left_out, 'run')} from a different machine."
        if found.copies:
            yield f"Left out: {plural(found.copies, 'run')} given more than once."
        if found.elsewhere:
            yield (
                "The baseline comes from a different machine; differences do not fail the run: "
                f"{'; '.join(found.elsewhere)}."
            )

    def errors(self) -> Table:
        """Return the table of errors."""
        rows = [
            [self._labels.cell(one.name), *raised(one), test(one.test)]
            for one in self.profile.raised
        ]
        headings = ["handler", "calls", "raised", "message", "test"]
        return Table("Errors", headings, rows, key="errors")

    def repeats(self) -> Table:
        """Return the table of repeated calls."""
        rows = [
            [self._labels.cell(one.parent), self._labels.cell(one.child), *repeated(one)]
            for one in self.profile.repeats
        ]
        headings = ["under", "handler", "times", "calls", "arguments", "test"]
        meanings = {
            "times": "most calls of the handler under one call",
            "calls": "calls under which the handler was repeated",
        }
        return Table("Repeated calls (N+1)", headings, rows, 0, meanings, "repeats")

    def slowest(self) -> Table:
        """Return the table of the slowest calls."""
        rows = [[self._labels.cell(one.name), *slow(one)] for one in self.profile.slowest[:SLOWEST]]
        headings = ["handler", "elapsed", "arguments", "raised", "test"]
        return Table("Slowest calls", headings, rows, key="slowest")

    def uncalled(self) -> list[HandlerName]:
        """Return the handlers that were never called."""
        return self.profile.uncalled()

    def by_outcome(self) -> Iterator[tuple[str, list[HandlerName]]]:
        """Yield the handlers that always raised, and those that never raised, with a title."""
        always = [name for name, one in self.called.items() if one.errors == one.calls]
        never = [name for name, one in self.called.items() if not one.errors]
        for title, names in (
            ("Only called with an error", always),
            ("Never called with an error", never),
        ):
            if names:
                yield title, sorted(names)


def _changed(one: Change, spread: bool) -> list[Cell]:
    """Return the cells of a change, without its handler.

    Args:
        one: the change.
        spread: whether the table has a column for the spread of the baseline.
    """
    show = STATISTICS[one.field].text
    why = f": {one.why}" if one.why else ""
    cells = [
        Cell(one.field),
        Cell(show(one.before), "number"),
        Cell(show(one.after), "number"),
        Cell("∞" if isinf(one.ratio) else f"{one.ratio:.2f}", "number"),
        Cell("" if one.p is None else probability(one.p), "number"),
        Cell(f"regression{why}", "bad") if one.regression else Cell(one.why),
    ]
    if spread:
        text = "" if one.spread is None else f"± {one.spread * 100:.1f} %"
        cells.insert(4, Cell(text, "number"))
    return cells
