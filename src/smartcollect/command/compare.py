"""``smartcollect compare``: show what became slower."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import FORMAT, ROWS, WHOLE, say_report
from .program import BAD, Refused
from .reading import DURATION, REPORT, REPORTS, RULE, profile_in, runs_in
from .show import OPTIONS

if TYPE_CHECKING:
    from ..profiles.comparison import Comparison
    from ..profiles.rules import Rule


@click.command()
@click.argument("old", metavar="OLD...", nargs=-1, required=True, type=REPORTS)
@click.argument("new", type=REPORT)
@click.option(
    "--fail",
    metavar="[FIELD:]PERCENT%",
    multiple=True,
    type=RULE,
    help="Exit with 1 if a handler became slower by more than PERCENT, such as 25%, or if its "
    "FIELD grew by more, such as calls:10%. Can be repeated.",
)
@click.option(
    "--min",
    "minimum",
    metavar="DURATION",
    type=DURATION,
    default="0.1ms",
    show_default=True,
    help="Ignore increases of a time that are smaller than DURATION.",
)
@FORMAT
@ROWS
@WHOLE
def compare(
    old: tuple[Path, ...],
    new: Path,
    fail: tuple[Rule, ...],
    minimum: float,
    format: str,
    rows: int,
    verbose: bool,
) -> int:
    """Compare a run with earlier runs.

    OLD is the report of an earlier run, or a folder of such reports. Three or more earlier runs
    show how much runs of the same code differ. NEW is the report of the run to compare.
    """
    from ..profiles.verdict import Expectations, judge
    from ..reports.summary import Layout, compared, verdict_sections

    profile = profile_in(new)
    baseline = runs_in(old)
    if not baseline:
        raise Refused(f"there is no report in {', '.join(map(str, old))}")
    expected = Expectations(compare_fail=fail, compare_min=minimum)
    verdict = judge(profile, expected, baseline)
    found = verdict.comparison
    assert found is not None
    layout = Layout(rows=rows, compare=old, compare_fail=fail, options=OPTIONS)
    shown = [*compared(profile, verdict, layout, verbose), *verdict_sections(profile, verdict)]

    def page() -> str:
        from ..reports.html import html

        then = list(map(str, old))
        return html(profile, verdict, expectations=expected, compared_with=then)

    say_report(format, shown, partial(_written, found), page, verbose)
    return BAD if verdict.failures else 0


def _written(found: Comparison) -> list[str]:
    from ..reports.strict_json import json_text

    changes: list[dict[str, Any]] = [
        {
            "handler": change.name.handler,
            "switcher": change.name.switcher,
            "field": change.field,
            "before": change.before,
            "after": change.after,
            # JSON has no infinity; the value before was 0.
            "ratio": change.ratio if math.isfinite(change.ratio) else None,
            "p": change.p,
            "regression": change.regression,
            "why": change.why,
        }
        for change in found.changes
    ]
    document = {"changes": changes, "drift": found.drift._asdict(), "judged": found.judged}
    return [json_text(document, indent=2), "\n"]
