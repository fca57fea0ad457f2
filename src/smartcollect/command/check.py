"""``smartcollect check``: a report is judged as pytest judges a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import say_sections
from .program import BAD, Refused, say
from .reading import (
    BUDGET,
    COUNT,
    DURATION,
    PAIR,
    PATTERN,
    REPORT,
    RULE,
    Earlier,
    database_errors,
    earlier_runs,
    profile_in,
    shown,
)

if TYPE_CHECKING:
    from ..profiles.profile import Profile
    from ..profiles.verdict import Verdict

_OPTIONS = {"rows": "smartcollect compare --rows", "compare_fail": "--compare-fail"}


@click.command()
@click.argument("file", type=REPORT)
@click.option(
    "--budget",
    "budgets",
    metavar="BUDGET",
    multiple=True,
    type=BUDGET,
    help='Fail if a handler is over BUDGET, such as "users.* calls<=3". May be given again.',
)
@click.option("--fail-uncalled", is_flag=True, help="Fail if no test called a handler.")
@click.option(
    "--allow-uncalled",
    metavar="HANDLER",
    multiple=True,
    type=PATTERN,
    help="HANDLER, a name or a pattern, may stay uncalled. May be given again.",
)
@click.option(
    "--repeat-threshold",
    metavar="N",
    type=COUNT,
    default="0",
    help="Fail if one call of a handler calls another N times or more: an N+1.",
)
@click.option(
    "--allow-repeats",
    metavar="PARENT>CHILD",
    multiple=True,
    type=PAIR,
    help="PARENT may call CHILD as often as it likes. May be given again.",
)
@click.option(
    "--compare",
    metavar="PATH",
    multiple=True,
    type=Earlier(),
    help="Compare with PATH: the report of an earlier run, a folder of such reports, or the URL "
    "of a history. May be given again.",
)
@click.option(
    "--compare-fail",
    metavar="[FIELD:]PERCENT%",
    multiple=True,
    type=RULE,
    help="Fail if a handler became slower by more than PERCENT, or if its FIELD grew by more. "
    "May be given again.",
)
@click.option(
    "--compare-min",
    metavar="DURATION",
    type=DURATION,
    default="0.1ms",
    show_default=True,
    help="A time that grew by less fails nothing.",
)
@click.option(
    "--history",
    metavar="URL",
    help="Add the run to the database at URL if it is complete, such as sqlite:///runs.db.",
)
@click.option("--allow-incomplete", is_flag=True, help="An incomplete report does not fail.")
def check(
    file: Path,
    compare: tuple[Any, ...],
    history: str | None,
    allow_incomplete: bool,
    **given: Any,
) -> int:
    """Judge a report as pytest judges a run.

    The options are those of pytest, --smartcollect-fail-uncalled and so on, and judge the same.
    What pytest judges test by test (--smartcollect-test-budgets, markers) is judged there.
    """
    from ..profiles.verdict import Expectations, judge
    from ..reports.summary import Layout, compared, told

    rules = given["compare_fail"]
    if rules and not compare:
        raise Refused("--compare-fail: there is no baseline to compare with; give --compare PATH")
    profile = profile_in(file)
    missing = "".join(profile.incomplete[:1])
    baseline = earlier_runs(compare, profile)
    expected = Expectations(**given)
    verdict = judge(profile, expected, baseline, lambda: missing)
    places = tuple(map(shown, compare))
    if compare and not baseline:
        verdict = verdict.noting(f"nothing to compare with: there is no run in {', '.join(places)}")
    if missing and not allow_incomplete:
        verdict = verdict.failing("the report is incomplete; --allow-incomplete lets it pass")
    layout = Layout(compare=places, compare_fail=rules, options=_OPTIONS)
    say_sections(compared(verdict, layout))
    # Not wrapped: a line for each, also for programs that look for it.
    for section in told(profile, verdict):
        for line in section.lines:
            say(line, section.tone)
    if not verdict.failures:
        judged = expected.judge_any(verdict.comparison)
        outcome = "nothing fails" if judged else "nothing was judged but whether it is complete"
        say(f"{file}: {outcome}")
    # After the verdict, which a database that is away must not take along.
    if history is not None:
        say(_add(history, profile, verdict))
    return BAD if verdict.failures else 0


def _add(url: str, profile: Profile, verdict: Verdict) -> str:
    """Add a run to a database, if it is complete, and return what came of that."""
    if profile.incomplete:
        return f"{shown(url)}: this run is not added: {profile.incomplete[0]}"
    regressed = verdict.comparison is not None and bool(verdict.comparison.regressions)
    with database_errors(url):
        from ..database.kept_runs import KeptRuns

        kept = KeptRuns(url)
        if kept.has(profile):
            return f"{shown(url)}: this run is there already"
        number = kept.add(profile, regressed)
    note = "; it became slower, so no later run is compared with it" if regressed else ""
    return f"added run {number:,} to {shown(url)}{note}"
