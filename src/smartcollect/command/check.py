"""``smartcollect check``: judge a report as pytest judges a run."""

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
    help='Fail if a handler is over BUDGET, such as "users.* calls<=3". Can be repeated.',
)
@click.option("--fail-uncalled", is_flag=True, help="Fail if a handler was never called.")
@click.option(
    "--allow-uncalled",
    metavar="HANDLER",
    multiple=True,
    type=PATTERN,
    help="Allow HANDLER, a name or a pattern, to stay uncalled. Can be repeated.",
)
@click.option(
    "--repeat-threshold",
    metavar="N",
    type=COUNT,
    default="0",
    help="Fail if one call to a handler calls another one N times or more: an N+1.",
)
@click.option(
    "--allow-repeats",
    metavar="PARENT>CHILD",
    multiple=True,
    type=PAIR,
    help="Allow calls to PARENT to call CHILD any number of times. Can be repeated.",
)
@click.option(
    "--compare",
    metavar="PATH",
    multiple=True,
    type=Earlier(),
    help="Compare with PATH: the report of an earlier run, a folder of such reports, or the URL "
    "of a history. Can be repeated.",
)
@click.option(
    "--compare-fail",
    metavar="[FIELD:]PERCENT%",
    multiple=True,
    type=RULE,
    help="Fail if a handler became slower by more than PERCENT, or if its FIELD grew by more. "
    "Can be repeated.",
)
@click.option(
    "--compare-min",
    metavar="DURATION",
    type=DURATION,
    default="0.1ms",
    show_default=True,
    help="Ignore increases of a time that are smaller than DURATION.",
)
@click.option(
    "--history",
    metavar="URL",
    help="Add the run, if it is complete, to the database at URL, such as sqlite:///runs.db.",
)
@click.option("--allow-incomplete", is_flag=True, help="Do not fail an incomplete report.")
def check(
    file: Path,
    compare: tuple[Any, ...],
    history: str | None,
    allow_incomplete: bool,
    **given: Any,
) -> int:
    """Judge a report as pytest judges a run.

    The options are like those of pytest, without the prefix: --smartcollect-fail-uncalled is
    --fail-uncalled. Budgets of single tests (--smartcollect-test-budgets, markers) are checked
    only while pytest runs.
    """
    from ..profiles.verdict import Expectations, judge
    from ..reports.summary import Layout, compared, verdict_sections

    rules = given["compare_fail"]
    if rules and not compare:
        raise Refused("--compare-fail: there is no baseline to compare with; add --compare PATH")
    profile = profile_in(file)
    missing = "".join(profile.incomplete[:1])
    baseline = earlier_runs(compare, profile)
    expected = Expectations(**given)
    verdict = judge(profile, expected, baseline, lambda: missing)
    places = tuple(map(shown, compare))
    if compare and not baseline:
        verdict = verdict.noting(f"nothing to compare with: there is no run in {', '.join(places)}")
    if missing and not allow_incomplete:
        verdict = verdict.failing("the report is incomplete; --allow-incomplete accepts it")
    layout = Layout(compare=places, compare_fail=rules, options=_OPTIONS)
    say_sections(compared(profile, verdict, layout))
    # Not wrapped to the terminal, so that scripts can search whole lines.
    for section in verdict_sections(profile, verdict):
        for line in section.lines:
            say(line, section.tone)
    if not verdict.failures:
        judged = expected.judge_any(verdict.comparison)
        outcome = "no failures" if judged else "nothing was judged except completeness"
        say(f"{file}: {outcome}")
    # After the verdict, which must be printed even if the database cannot be reached.
    if history is not None:
        say(_add(history, profile, verdict))
    return BAD if verdict.failures else 0


def _add(url: str, profile: Profile, verdict: Verdict) -> str:
    """Add a run to a database if the run is complete, and return a message about it."""
    if profile.incomplete:
        return f"{shown(url)}: this run is not added: {profile.incomplete[0]}"
    regressed = verdict.comparison is not None and bool(verdict.comparison.regressions)
    with database_errors(url):
        from ..database.kept_runs import KeptRuns

        kept = KeptRuns(url)
        if kept.has(profile):
            return f"{shown(url)}: this run was already added"
        number = kept.add(profile, regressed)
    why = "; this run was slower than allowed, so later runs are not compared with it"
    note = why if regressed else ""
    return f"added run {number:,} to {shown(url)}{note}"
