"""The contents of a run's summary as sections, independent of the output format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ..names import HandlerName, Names
from ..profiles.comparison import Comparison
from ..profiles.growth import Change
from ..profiles.parts import SLOWEST
from ..profiles.profile import Profile
from ..profiles.rules import DRIFT, Rule
from ..profiles.verdict import Verdict
from ..storage.fields import STATISTICS, Kind, named
from ..text import one_line, plural, short_path
from ..units import duration, probability
from ..values.arguments import without_objects
from .columns import STATISTIC_COLUMNS
from .headlines import bar, headlines, percent, shares
from .tables import statistics_row

_TIMES = [head for name, head in STATISTIC_COLUMNS.items() if STATISTICS[name].kind is Kind.TIME]
_COUNTS = [head for head in STATISTIC_COLUMNS.values() if head not in _TIMES]
SORTED_BY = (*_TIMES, *_COUNTS, "tests", "handler")
"""The columns by which the table of handlers can be sorted. Other statistics work as well."""


def sort_field(text: str) -> str | None:
    """Return the field of a column or a statistic; ``None`` if ``text`` names neither.

    Example:
        >>> sort_field("total"), sort_field("tests"), sort_field("speed")
        ('total_time', 'tests', None)
    """
    field = named(text)
    return field if field in STATISTICS or field in ("tests", "handler") else None


_OPTIONS = {"rows": "--smartcollect-rows", "compare_fail": "--smartcollect-compare-fail"}


@dataclass(frozen=True)
class Layout:
    """The settings of the summary.

    Attributes:
        sort: the field by which the table of handlers is sorted, as `sort_field` returns it.
        rows: the number of handlers in the table; 0 for all.
        slowest: the number of slowest calls.
        compare: the files, folders and databases of the baseline.
        compare_fail: the rules for regressions from the baseline.
        watch: the patterns of watched functions.
        options: for attributes of this class, the command-line options that set them. Hints
            mention these options.
    """

    sort: str = "total_time"
    rows: int = 20
    slowest: int = 5
    compare: tuple[object, ...] = ()
    compare_fail: tuple[Rule, ...] = ()
    watch: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=lambda: _OPTIONS)


SHOWN = 10
"""The most rows or names in parts of the summary without an option, unless ``-v`` is given."""
ERRORS_SHOWN = 5
_ADVICE = {
    True: "the same arguments: cache the result",
    False: "different arguments: get all results with one call",
}
_Item = TypeVar("_Item")


class Section(NamedTuple):
    """A part of the summary.

    Attributes:
        title: the title, or ``""``.
        rows: the rows of its table, with headings as keys.
        lines: the lines below the table.
        tone: ``""``, ``warning`` or ``failure``.
        essential: whether ``-q`` shows the section.
        brief: the line that ``-q`` shows instead of a section that is not essential.
        tones: the tone of each row. Missing tones are ``""``.
        kept: the headings of columns that are left out last if the table is too wide.
        close: whether the section follows the one before without an empty line.
    """

    title: str = ""
    rows: Sequence[Mapping[str, object]] = ()
    lines: Sequence[str] = ()
    tone: str = ""
    essential: bool = False
    brief: str = ""
    tones: Sequence[str] = ()
    kept: Sequence[str] = ()
    close: bool = False


_NOT_COMPARED = "no handler was called in both the baseline and this run"
NOTHING = (
    "no handlers found: nothing was registered with smartswitch; to watch functions, add "
    "--smartcollect-watch=PACKAGE"
)


def sections(
    profile: Profile | None, verdict: Verdict, layout: Layout, whole: bool
) -> list[Section]:
    """Return the sections of the summary, in order, without empty ones.

    Args:
        profile: the profile of the run; ``None`` if there cannot be one.
        verdict: the verdict on the run.
        layout: the settings of the summary.
        whole: whether to cut and leave out nothing.
    """
    # A pattern that matches nothing has a line of its own.
    nothing = Section(lines=["no handlers found" if layout.watch else NOTHING], essential=True)
    if profile is None:
        notes = Section(lines=verdict.notes, tone="warning", essential=True)
        return [notes if verdict.notes else nothing]
    names = verdict.names(profile)
    if profile.incomplete:
        nothing = Section()  # the first lines say why
    found = [
        *_head(profile, verdict, names),
        _handlers(profile, verdict, layout, names, whole) if profile.handlers else nothing,
        _slowest(profile, layout, names, whole),
        _raised(profile, names, whole),
        _repeats(profile, names, whole),
        _comparison(verdict, layout, names, whole),
        _coverage(profile, names, whole),
        # A single cause is already among the first lines.
        _missing(profile if len(profile.incomplete) > 1 else Profile()),
        *_judged(verdict),
    ]
    return _filled(found)


def verdict_sections(profile: Profile, verdict: Verdict) -> list[Section]:
    """Return the sections about missing parts of the run, notes of the verdict, and failures."""
    return _filled([_missing(profile), *_judged(verdict)])


def _missing(profile: Profile) -> Section:
    lines = [f"incomplete: {why}" for why in profile.incomplete]
    return Section(lines=lines, tone="warning", essential=True)


def _judged(verdict: Verdict) -> list[Section]:
    return [
        Section(lines=verdict.notes, tone="warning", essential=True),
        Section(lines=verdict.failures, tone="failure", essential=True),
    ]


def _filled(sections: Iterable[Section]) -> list[Section]:
    """Return the sections that are not empty."""
    return [
        section._replace(lines=list(map(one_line, section.lines)))
        for section in sections
        if section.rows or section.lines
    ]


def compared(
    profile: Profile, verdict: Verdict, layout: Layout, whole: bool = False
) -> list[Section]:
    """Return the section about the comparison, if there is a comparison.

    Args:
        profile: the profile of the run.
        verdict: the verdict on the run.
        layout: the settings of the summary.
        whole: whether to cut and leave out nothing.
    """
    return _filled([_comparison(verdict, layout, verdict.names(profile), whole)])


def _head(profile: Profile, verdict: Verdict, names: Names) -> Iterator[Section]:
    for number, (text, tone) in enumerate(headlines(profile, verdict, names)):
        yield Section(lines=[text], tone=tone, essential=True, close=number > 0)


def _handlers(
    profile: Profile, verdict: Verdict, layout: Layout, names: Names, whole: bool
) -> Section:
    tests, of_all = profile.tests_of(), shares(profile)
    tones = _tones(profile, verdict)
    rows: list[dict[str, object]] = [
        {
            "handler": names[name],
            **stats.statistics(),
            "tests": tests[name],
            "share": _share(of_all, name),
            "tone": tones.get(name, ""),
        }
        for name, stats in profile.called().items()
    ]
    field = layout.sort
    # By name first, so that rows with equal values are in the same order in each run.
    rows.sort(key=lambda row: str(row["handler"]))
    if field != "handler":
        rows.sort(key=lambda row: row[field], reverse=True)  # type: ignore[arg-type,return-value]
    kept = rows if whole or layout.rows == 0 else rows[: layout.rows]
    lines = [] if rows else ["no handler was called"]
    if len(kept) < len(rows):
        more = plural(len(rows) - len(kept), "more handler")
        lines = [f"… {more}; {layout.options['rows']}=0 shows all"]
    sorted_by = STATISTIC_COLUMNS.get(field, field)
    return Section(
        rows=[statistics_row(row) for row in kept],
        lines=lines,
        essential=True,
        tones=[str(row["tone"]) for row in kept],
        kept=[sorted_by],
    )


def _share(of_all: Mapping[HandlerName, float], name: HandlerName) -> str:
    """Return a handler's share of the time in all handlers, in percent and as a bar."""
    share = of_all.get(name)
    return "" if share is None else f"{percent(share):>4} {bar(share)}"


def _tones(profile: Profile, verdict: Verdict) -> dict[HandlerName, str]:
    """Return the tones of handlers that failed, or whose calls repeated calls."""
    tones = dict.fromkeys((one.parent for one in profile.repeats), "warning")
    failed = [one.name for one in verdict.over_budget if one.name is not None]
    if verdict.comparison is not None:
        failed += [one.name for one in verdict.comparison.regressions]
    return {**tones, **dict.fromkeys(failed, "failure")}


def _slowest(profile: Profile, layout: Layout, names: Names, whole: bool) -> Section:
    return Section(
        "slowest calls",
        [
            {
                "elapsed": duration(call.elapsed),
                "handler": names.get(call.name, call.name.full),
                "arguments": call.arguments if whole else without_objects(call.arguments),
                "test": call.test,
                "raised": call.error,
            }
            for call in profile.slowest[: min(layout.slowest, SLOWEST)]
        ],
    )


def _raised(profile: Profile, names: Names, whole: bool) -> Section:
    kept, more = _cut(profile.raised, whole, ERRORS_SHOWN)
    return Section(
        "errors",
        [
            {
                "handler": names.get(one.name, one.name.full),
                "calls": f"{one.calls:,}",
                "raised": one.type,
                "message": one.message,
                "test": one.test,
            }
            for one in kept
        ],
        [f"… {more} more; -v shows all"] if more else [],
    )


def _repeats(profile: Profile, names: Names, whole: bool) -> Section:
    kept, more = _cut(profile.repeats, whole)
    advice = [text for same, text in _ADVICE.items() if any(one.same is same for one in kept)]
    return Section(
        "repeated calls under one call",
        [
            {
                "under": names.get(one.parent, one.parent.full),
                "handler": names.get(one.child, one.child.full),
                "times": f"{one.times:,}",
                "arguments": "the same" if one.same else "different",
                "test": one.test,
            }
            for one in kept
        ],
        [*([f"… {more} more; -v shows all"] if more else []), *advice],
        tone="warning",
        tones=["warning"] * len(kept),
    )


def _comparison(verdict: Verdict, layout: Layout, names: Names, whole: bool) -> Section:
    found = verdict.comparison
    if found is None:
        return Section()
    kept = found.changes if whole or layout.rows == 0 else found.changes[: layout.rows]
    lines = []
    if len(kept) < len(found.changes):
        more = len(found.changes) - len(kept)
        lines.append(f"… {more:,} more; {layout.options['rows']}=0 shows all")
    for what, which in (("new since then", found.added), ("no longer called", found.removed)):
        if which:
            lines.append(f"{what}: {_listed([names[name] for name in which], whole)}")
    if not kept and not lines:
        lines.append(_NOT_COMPARED)
    lines += [f"{names[change.name]}: {change.why}" for change in kept if _needs_reason(change)]
    if kept:
        lines += _drifted(found, layout)
    lines += [f"the baseline is incomplete: {why}" for why in found.incomplete]
    if found.left_out:
        lines.append(f"left out: {plural(found.left_out, 'run')} from a different machine")
    if found.copies:
        lines.append(f"left out: {plural(found.copies, 'run')} given more than once")
    if found.elsewhere:
        lines.append(
            "the baseline comes from a different machine; differences do not fail the run: "
            + "; ".join(found.elsewhere)
        )
    title = f"compared with {_baseline(found, layout)}"
    failed = found.slower_by([rule for rule in layout.compare_fail if rule.field == DRIFT])
    without = f"not judged without {layout.options['compare_fail']}"
    outcome = "no regression" if layout.compare_fail else ""
    if found.slower_by(layout.compare_fail) is not None:
        outcome = f"everything is slower, {found.drift}"
    if not found.changes:
        outcome = _NOT_COMPARED
    return Section(
        title,
        [
            {
                "handler": names[change.name],
                "statistic": change.field,
                "before": STATISTICS[change.field].text(change.before),
                "after": STATISTICS[change.field].text(change.after),
                "ratio": "∞" if math.isinf(change.ratio) else f"{change.ratio:.2f}",
                "judged": "regression" if change.regression else "",
                **({"spread": _spread(change)} if found.has_spread else {}),
                "p": "" if change.p is None else probability(change.p),
            }
            for change in kept
        ],
        lines,
        tone="failure" if found.regressions else "",
        tones=["failure" if change.regression else "" for change in kept],
        essential=bool(found.regressions or found.elsewhere or found.incomplete),
        brief="" if failed else f"{title}: {outcome or without}",
    )


def _spread(change: Change) -> str:
    return "" if change.spread is None else f"± {change.spread * 100:.1f} %"


def _needs_reason(change: Change) -> bool:
    """Tell whether the table alone does not explain why a change is not a regression."""
    return bool(change.why) and not change.regression and not change.why.endswith("allowed")


def _drifted(found: Comparison, layout: Layout) -> Iterator[str]:
    """Yield the lines about the drift of the machine."""
    corrected = "corrected" if found.drift.is_removed else "not corrected"
    yield f"{corrected} for the drift of the machine: {found.drift}"
    broken = found.slower_by(layout.compare_fail)
    if broken is not None:
        hint = "" if broken.field == DRIFT else f"; {DRIFT}:{broken.percent:g}% fails such a run"
        yield f"everything is slower: either the machine or something all handlers share{hint}"


def _baseline(found: Comparison, layout: Layout) -> str:
    places = ", ".join(short_path(str(one)) for one in layout.compare)
    return places if found.runs == 1 else f"{found.runs} runs: {places}"


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


def _cut(items: Sequence[_Item], whole: bool, most: int = SHOWN) -> tuple[Sequence[_Item], int]:
    kept = items if whole else items[:most]
    return kept, len(items) - len(kept)


def _listed(names: Sequence[str], whole: bool) -> str:
    kept, more = _cut(sorted(names), whole)
    return ", ".join(kept) + (f" and {more:,} more" if more else "")
