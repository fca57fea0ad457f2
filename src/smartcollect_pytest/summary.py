"""What the summary of a run says, section by section, whoever writes it down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .options import Settings

if TYPE_CHECKING:
    from smartcollect import HandlerName, Profile

    from .checks import Verdict

SHOWN = 10
"""Rows and names of whatever has no option of its own, unless all are wanted."""
ERRORS_SHOWN = 5

Names = Mapping["HandlerName", str]
_Item = TypeVar("_Item")


class Section(NamedTuple):
    """A part of the summary.

    Attributes:
        title: what it is about; ``""`` where that is plain.
        rows: its table, headings as keys, or none.
        lines: what is said below the table.
        tone: ``""``, ``warning`` or ``failure``.
        essential: whether ``-q`` leaves it.
    """

    title: str = ""
    rows: Sequence[Mapping[str, object]] = ()
    lines: Sequence[str] = ()
    tone: str = ""
    essential: bool = False


def sections(
    profile: Profile | None, verdict: Verdict, settings: Settings, whole: bool
) -> list[Section]:
    """The sections of the summary, in their order, those left out that have nothing to say.

    Args:
        profile: that of the run; ``None`` where there can be none.
        verdict: how it was judged.
        settings: the options of the run.
        whole: whether nothing is cut.
    """
    nothing = Section(lines=["no handler was registered with smartswitch"], essential=True)
    if profile is None:
        refused = Section(lines=verdict.notes, tone="warning", essential=True)
        return [refused if verdict.notes else nothing]
    from smartcollect.names import short_names
    from smartcollect.tables import one_line

    names = short_names({*profile.handlers, *_compared(verdict)})
    missing = [f"incomplete: {why}" for why in profile.incomplete]
    found = [
        _handlers(profile, settings, names, whole) if profile.handlers else nothing,
        _slowest(profile, settings, names),
        _raised(profile, names, whole),
        _repeats(profile, names, whole),
        _comparison(verdict, settings, names, whole),
        _coverage(profile, names, whole),
        _totals(profile),
        Section(lines=[*missing, *verdict.notes], tone="warning", essential=True),
        Section(lines=verdict.failures, tone="failure", essential=True),
    ]
    return [
        section._replace(lines=list(map(one_line, section.lines)))
        for section in found
        if section.rows or section.lines
    ]


def _handlers(profile: Profile, settings: Settings, names: Names, whole: bool) -> Section:
    from smartcollect.stats import FIELDS
    from smartcollect.tables import plural, statistics_row

    tests = profile.tests_of()
    rows: list[dict[str, object]] = [
        {"handler": names[name], **stats.statistics(), "tests": tests[name]}
        for name, stats in profile.called().items()
    ]
    field = f"{settings.sort}_time" if f"{settings.sort}_time" in FIELDS else settings.sort
    # By name first: rows that are equal in the field stay in the same order from run to run.
    rows.sort(key=lambda row: str(row["handler"]))
    if field != "handler":
        rows.sort(key=lambda row: row[field], reverse=True)  # type: ignore[arg-type,return-value]
    kept = rows if whole or settings.rows == 0 else rows[: settings.rows]
    lines = [] if rows else ["no handler was called"]
    if len(kept) < len(rows):
        more = plural(len(rows) - len(kept), "more handler")
        lines = [f"… {more}; --smartcollect-rows=0 shows all"]
    return Section(rows=[statistics_row(row) for row in kept], lines=lines, essential=True)


def _slowest(profile: Profile, settings: Settings, names: Names) -> Section:
    from smartcollect.units import duration

    return Section(
        "slowest calls",
        [
            {
                "elapsed": duration(call.elapsed),
                "handler": names[call.name],
                "arguments": call.arguments,
                "raised": call.error,
                "test": call.test,
            }
            for call in profile.slowest[: settings.slowest]
        ],
    )


def _raised(profile: Profile, names: Names, whole: bool) -> Section:
    from smartcollect.tables import one_line

    kept, more = _cut(profile.raised, whole, ERRORS_SHOWN)
    return Section(
        "errors",
        [
            {
                "handler": names.get(one.name, one.name.full),
                "calls": f"{one.calls:,}",
                "raised": one.type,
                "message": one_line(one.message, 40),
                "test": one.test,
            }
            for one in kept
        ],
        [f"… {more} more; -v shows all"] if more else [],
    )


def _repeats(profile: Profile, names: Names, whole: bool) -> Section:
    kept, more = _cut(profile.repeats, whole)
    return Section(
        "repeated calls under one call",
        [
            {
                "under": names.get(one.parent, one.parent.full),
                "handler": names.get(one.child, one.child.full),
                "times": f"{one.times:,}",
                "arguments": "the same: keep the answer"
                if one.same
                else "different: ask for all at once",
                "test": one.test,
            }
            for one in kept
        ],
        [f"… {more} more; -v shows all"] if more else [],
        tone="warning",
    )


def _comparison(verdict: Verdict, settings: Settings, names: Names, whole: bool) -> Section:
    from smartcollect.budgets import shown
    from smartcollect.tables import short_path

    found = verdict.comparison
    if found is None:
        return Section()
    kept = found.changes if whole or settings.rows == 0 else found.changes[: settings.rows]
    lines = []
    if len(kept) < len(found.changes):
        lines.append(f"… {len(found.changes) - len(kept):,} more; --smartcollect-rows=0 shows all")
    for what, which in (("new since then", found.came), ("not called any more", found.went)):
        if which:
            lines.append(f"{what}: {_listed([names[name] for name in which], whole)}")
    lines += [f"the baseline is incomplete: {why}" for why in found.incomplete]
    if found.elsewhere:
        lines.append(
            "the baseline is of another machine, so it fails nothing: " + "; ".join(found.elsewhere)
        )
    return Section(
        f"compared with {short_path(settings.compare or '')}",
        [
            {
                "handler": names[change.name],
                "statistic": change.field,
                "before": shown(change.field, change.before),
                "after": shown(change.field, change.after),
                "ratio": "∞" if math.isinf(change.ratio) else f"{change.ratio:.2f}",
                "p": "" if change.p is None else f"{change.p:.4f}",
                "": "regression" if change.regression else "",
            }
            for change in kept
        ],
        lines,
        tone="failure" if found.regressions else "",
        essential=bool(found.regressions or found.elsewhere or found.incomplete),
    )


def _coverage(profile: Profile, names: Names, whole: bool) -> Section:
    called = profile.called()
    groups = {
        "never called": profile.uncalled(),
        "only called with an error": [
            name for name, stats in called.items() if stats.errors == stats.calls
        ],
        "never called with an error": [name for name, stats in called.items() if not stats.errors],
    }
    return Section(
        lines=[
            f"{what}: {_listed([names[name] for name in which], whole)}"
            for what, which in groups.items()
            if which
        ],
        tone="warning",
    )


def _totals(profile: Profile) -> Section:
    from smartcollect.tables import plural

    called = profile.called()
    if not profile.handlers:
        return Section()
    calls = sum(stats.calls for stats in called.values())
    line = (
        f"{plural(calls, 'call')} of {plural(len(called), 'handler')} "
        f"in {plural(len(profile.tests), 'test')}"
    )
    return Section(lines=[line])


def _compared(verdict: Verdict) -> set[HandlerName]:
    found = verdict.comparison
    if found is None:
        return set()
    return {*(change.name for change in found.changes), *found.came, *found.went}


def _cut(items: Sequence[_Item], whole: bool, most: int = SHOWN) -> tuple[Sequence[_Item], int]:
    kept = items if whole else items[:most]
    return kept, len(items) - len(kept)


def _listed(names: Sequence[str], whole: bool) -> str:
    kept, more = _cut(sorted(names), whole)
    return ", ".join(kept) + (f" and {more:,} more" if more else "")
