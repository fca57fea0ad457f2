"""Writes the summary of a run to the terminal; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .options import Settings

if TYPE_CHECKING:
    from smartcollect import HandlerName, Profile

UNCALLED_SHOWN = 10
REPEATS_SHOWN = 10


class Writer(Protocol):
    """What is used of pytest's terminal reporter."""

    def write_sep(self, sep: str, title: str, **markup: bool) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


def summary(writer: Writer, profile: Profile | None, settings: Settings, verbosity: int) -> None:
    """Writes the ``smartcollect`` section.

    Args:
        writer: pytest's terminal reporter.
        profile: that of the whole run; ``None`` where no handler was registered.
        settings: the options of the run.
        verbosity: of ``-q`` (less than 0: the table alone) and ``-v`` (more: nothing is cut).
    """
    writer.write_sep("=", "smartcollect")
    if profile is None:
        writer.write_line("no handler was registered with smartswitch")
        return
    from smartcollect import tables

    called = profile.called()
    rows = _rows(profile, settings.sort)
    shown = rows if verbosity > 0 or settings.rows == 0 else rows[: settings.rows]
    writer.write_line(tables.statistics(shown))
    if len(rows) > len(shown):
        writer.write_line(
            f"… {_plural(len(rows) - len(shown), 'more handler')}; --smartcollect-rows=0 shows all"
        )
    if verbosity < 0:
        return
    keys = _keys(profile)
    _slowest(writer, profile, settings.slowest, keys)
    _repeats(writer, profile, keys)
    uncalled = sorted(tables.one_line(keys[name]) for name in profile.uncalled())
    if uncalled:
        kept = uncalled if verbosity > 0 else uncalled[:UNCALLED_SHOWN]
        more = f" and {len(uncalled) - len(kept)} more" if len(kept) < len(uncalled) else ""
        writer.write_line("")
        writer.write_line(f"never called: {', '.join(kept)}{more}", yellow=True)
    calls = sum(stats.calls for stats in called.values())
    writer.write_line("")
    writer.write_line(
        f"{_plural(calls, 'call')} of {_plural(len(called), 'handler')} "
        f"in {_plural(len(profile.tests), 'test')}"
    )


def _slowest(writer: Writer, profile: Profile, count: int, keys: dict[HandlerName, str]) -> None:
    from smartcollect import tables
    from smartcollect.units import duration

    calls = profile.slowest[:count]
    if calls:
        writer.write_line("")
        writer.write_line("slowest calls")
        writer.write_line(
            tables.table(
                {
                    "elapsed": duration(call.elapsed),
                    "handler": keys[call.name],
                    "arguments": call.arguments,
                    "raised": call.error,
                    "test": call.test,
                }
                for call in calls
            )
        )


def _repeats(writer: Writer, profile: Profile, keys: dict[HandlerName, str]) -> None:
    from smartcollect import tables

    if profile.repeats:
        writer.write_line("")
        writer.write_line("repeated calls under one call", yellow=True)
        writer.write_line(
            tables.table(
                {
                    "under": keys.get(one.parent, one.parent.full),
                    "handler": keys.get(one.child, one.child.full),
                    "times": f"{one.times:,}",
                    "arguments": "the same: keep the answer"
                    if one.same
                    else "different: ask for all at once",
                }
                for one in profile.repeats[:REPEATS_SHOWN]
            )
        )


def _rows(profile: Profile, sort: str) -> Sequence[dict[str, Any]]:
    from smartcollect.stats import FIELDS

    keys = _keys(profile)
    tests = dict.fromkeys(profile.handlers, 0)
    for used in profile.tests.values():
        for name in used:
            tests[name] += 1
    rows: list[dict[str, Any]] = [
        {"handler": keys[name], **stats.statistics(), "tests": tests[name]}
        for name, stats in profile.called().items()
    ]
    field = f"{sort}_time" if f"{sort}_time" in FIELDS else sort
    # By name first: rows that are equal in the field stay in the same order from run to run.
    rows.sort(key=lambda row: str(row["handler"]))
    return rows if field == "handler" else sorted(rows, key=lambda row: row[field], reverse=True)


def _keys(profile: Profile) -> dict[HandlerName, str]:
    from smartcollect.names import short_names

    return short_names(profile.handlers)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
