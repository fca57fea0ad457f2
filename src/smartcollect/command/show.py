"""``smartcollect show``: show a report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from .output import FORMAT, ROWS, WHOLE, page_of, say_report
from .program import Refused
from .reading import COUNT, PATTERN, REPORT, SORT, profile_in

OPTIONS = {"rows": "--rows", "compare_fail": "--fail"}
"""The names of the options that hints in the output mention."""


@click.command()
@click.argument("file", type=REPORT)
@FORMAT
@click.option(
    "--sort",
    metavar="FIELD",
    type=SORT,
    default="total",
    show_default=True,
    help="Sort handlers by FIELD, a column or a statistic, largest first.",
)
@click.option(
    "--handler",
    metavar="PATTERN",
    type=PATTERN,
    help="Show only handlers that match PATTERN, such as users.*.",
)
@ROWS
@click.option(
    "--slowest",
    metavar="N",
    type=COUNT,
    default="5",
    show_default=True,
    help="Show the N slowest calls, 0 for none.",
)
@WHOLE
def show(
    file: Path, format: str, sort: str, handler: str | None, rows: int, slowest: int, verbose: bool
) -> None:
    """Show a report as pytest --smartcollect does."""
    from ..profiles.narrowing import narrowed
    from ..profiles.verdict import Verdict
    from ..reports.report_file import report
    from ..reports.summary import Layout, sections

    profile = profile_in(file)
    if handler is not None:
        try:
            profile = narrowed(profile, handler)
        except KeyError as error:
            raise Refused(f"--handler: {error}") from None
    layout = Layout(sort, rows, slowest, options=OPTIONS)
    shown = sections(profile, Verdict(), layout, verbose)
    say_report(format, shown, partial(report, profile), partial(page_of, profile), verbose)
