"""What the summary of a run says, section by section, whoever writes it down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ..names import HandlerName, short_names
from ..profiles.comparison import Comparison
from ..profiles.growth import Change
from ..profiles.parts import SLOWEST
from ..profiles.profile import Profile
from ..profiles.rules import DRIFT, Rule
from ..profiles.verdict import Verdict
from ..storage.fields import STATISTICS, Kind, named
from ..text import one_line, plural, short_path
from ..units import duration
from ..values.arguments import without_objects
from .columns import STATISTIC_COLUMNS
from .headlines import Names, bar, headlines, percent, shares
from .tables import statistics_row

_TIMES = [head for name, head in STATISTIC_COLUMNS.items() if STATISTICS[name].kind is Kind.TIME]
_COUNTS = [head for head in STATISTIC_COLUMNS.values() if head not in _TIMES]
SORTED_BY = (*_TIMES, *_COUNTS, "tests", "handler")
"""The columns that the table of handlers can be sorted by; any other statistic can, too."""


def sort_field(text: str) -> str | None:
    """Return the field that ``text`` names, a column or a statistic; ``None`` where it is neither.

    Example:
        >>> sort_field("total"), sort_field("tests"), sort_field("speed")
        ('total_time', 'tests', None)
    """
    field = named(text)
    return field if field in STATISTICS or field in ("tests", "handler") else None


_OPTIONS = {"rows": "--smartcollect-rows", "compare_fail": "--smartcollect-compare-fail"}


@dataclass(frozen=True)
class Layout:
    """How the summary is shown.

    Attributes:
        sort: the field that the table of handlers is sorted by, as `sort_field` returns it.
        rows: how many handlers it shows; 0 for all.
        slowest: how many of the slowest calls it shows.
        compare: the files, folders and databases of the baseline.
        compare_fail: what may grow by how much, compared with that.
        options: what the options are called that show more, by the names of these attributes.
    """

    sort: str = "total_time"
    rows: int = 20
    slowest: int = 5
    compare: tuple[object, ...] = ()
    compare_fail: tuple[Rule, ...] = ()
    options: Mapping[str, str] = field(default_factory=lambda: _OPTIONS)


SHOWN = 10
"""Rows and names of whatever has no option of its own, unless all are wanted."""
ERRORS_SHOWN = 5
_ADVICE = {
    True: "the same arguments: keep the answer",
    False: "different arguments: ask for all at once",
}
_Item = TypeVar("_Item")


class Section(NamedTuple):
    """A part of the summary.

    Attributes:
        title: what it is about; ``""`` where that is plain.
        rows: its table, headings as keys, or none.
        lines: what is said below the table.
        tone: ``""``, ``warning`` or ``failure``.
        essential: whether ``-q`` leaves it.
        brief: the line that ``-q`` leaves of one that is not essential.
        tones: the tone of each row, where one has one.
        kept: headings of columns that are left out last where there is little room.
        close: whether no empty line stands above it.
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


NOTHING = (
    "no handlers found: nothing was registered with smartswitch; to watch functions, add "
    "--smartcollect-watch=PACKAGE"
)


def sections(
    profile: Profile | None, verdict: Verdict, layout: Layout, whole: bool
) -> list[Section]:
    """The sections of the summary, in their order, those left out that have nothing to say.

    Args:
        profile: that of the run; ``None`` where there can be none.
        verdict: how it was judged.
        layout: how it is shown.
        whole: whether nothing is cut.
    """
    nothing = Section(lines=[NOTHING], essential=True)
    if profile is None:
        refused = Section(lines=verdict.notes, tone="warning", essential=True)
        return [refused if verdict.notes else nothing]
    names = short_names({*profile.handlers, *_compared(verdict)})
    found = [
        *_head(profile, verdict, names),
        _handlers(profile, verdict, layout, names, whole) if profile.handlers else nothing,
        _slowest(profile, layout, names, whole),
        _raised(profile, names, whole),
        _repeats(profile, names, whole),
        _comparison(verdict, layout, names, whole),
        _coverage(profile, names, whole),
        # The first line tells of a single one.
        _missing(profile if len(profile.incomplete) > 1 else Profile()),
        *_judged(verdict),
    ]
    return _said(found)


def told(profile: Profile, verdict: Verdict) -> list[Section]:
    """The sections of the summary about what is missing, what was not judged, and what failed."""
    return _said([_missing(profile), *_judged(verdict)])


def _missing(profile: Profile) -> Section:
    lines = [f"incomplete: {why}" for why in profile.incomplete]
    return Section(lines=lines, tone="warning", essential=True)


def _judged(verdict: Verdict) -> list[Section]:
    return [
        Section(lines=verdict.notes, tone="warning", essential=True),
        Section(lines=verdict.failures, tone="failure", essential=True),
    ]


def _said(sections: Iterable[Section]) -> list[Section]:
    """Return the sections that have something to say."""
    return [
        section._replace(lines=list(map(one_line, section.lines)))
        for section in sections
        if section.rows or section.lines
    ]


def compared(verdict: Verdict, layout: Layout, whole: bool = False) -> list[Section]:
    """The section of the summary about the comparison, or none.

    Args:
        verdict: how the run was judged.
        layout: how it is shown.
        whole: whether nothing is cut.
    """
    return _said([_comparison(verdict, layout, short_names(_compared(verdict)), whole)])


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
    # By name first: rows that are equal in the field stay in the same order from run to run.
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
    """Return the share of a handler in the time of all, in percent and as a bar."""
    share = of_all.get(name)
    return "" if share is None else f"{percent(share):>4} {bar(share)}"


def _tones(profile: Profile, verdict: Verdict) -> dict[HandlerName, str]:
    """Return the tones of the handlers that are worth a look."""
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
    for what, which in (("new since then", found.added), ("not called any more", found.removed)):
        if which:
            lines.append(f"{what}: {_listed([names[name] for name in which], whole)}")
    if not kept and not lines:
        lines.append("no handler was called then and now")
    lines += [f"{names[change.name]}: {change.why}" for change in kept if _is_telling(change)]
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
                "p": "" if change.p is None else f"{change.p:.4f}",
            }
            for change in kept
        ],
        lines,
        tone="failure" if found.regressions else "",
        tones=["failure" if change.regression else "" for change in kept],
        essential=bool(found.regressions or found.elsewhere or found.incomplete),
        brief="" if failed else f"{title}: {'no regression' if layout.compare_fail else without}",
    )


def _spread(change: Change) -> str:
    return "" if change.spread is None else f"± {change.spread * 100:.1f} %"


def _is_telling(change: Change) -> bool:
    """Whether the reason is not plain from the table: it grew enough, and yet is none."""
    return bool(change.why) and not change.regression and not change.why.endswith("allowed")


def _drifted(found: Comparison, layout: Layout) -> Iterator[str]:
    """What is said of the time of everything together."""
    if not found.drift.is_known:
        yield f"no drift of the machine is taken out: {found.drift}"
        return
    yield f"{found.drift}, which is taken out"
    broken = found.slower_by(layout.compare_fail)
    if broken is not None:
        hint = "" if broken.field == DRIFT else f"; {DRIFT}:{broken.percent:g}% fails such a run"
        yield f"everything is slower: the machine, or what all handlers have in common{hint}"


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


def _compared(verdict: Verdict) -> set[HandlerName]:
    found = verdict.comparison
    if found is None:
        return set()
    return {*(change.name for change in found.changes), *found.added, *found.removed}


def _cut(items: Sequence[_Item], whole: bool, most: int = SHOWN) -> tuple[Sequence[_Item], int]:
    kept = items if whole else items[:most]
    return kept, len(items) - len(kept)


def _listed(names: Sequence[str], whole: bool) -> str:
    kept, more = _cut(sorted(names), whole)
    return ", ".join(kept) + (f" and {more:,} more" if more else "")
