"""Printing of reports, in each format that commands support."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from .program import Refused, say_all, say_document
from .reading import COUNT

if TYPE_CHECKING:
    from ..profiles.profile import Profile
    from ..reports.summary import Section

FORMAT = click.option(
    "--format",
    type=click.Choice(["table", "md", "json", "html"]),
    default="table",
    show_default=True,
    help="The format of the output.",
)
ROWS = click.option(
    "--rows",
    metavar="N",
    type=COUNT,
    default="20",
    show_default=True,
    help="Show N handlers, 0 for all.",
)
WHOLE = click.option("-v", "--verbose", is_flag=True, help="Show all rows and whole texts.")


def say_report(
    format: str,
    sections: Iterable[Section],
    json: Callable[[], Iterable[str]],
    page: Callable[[], str],
    whole: bool,
) -> None:
    """Print a report.

    Args:
        format: one of the choices of `FORMAT`.
        sections: the sections to print as a table or Markdown.
        json: a function that returns the report as JSON, in pieces.
        page: a function that returns the report as HTML.
        whole: True to show all rows and whole texts.

    Raises:
        Refused: a package for HTML is not installed.
    """
    if format == "json":
        say_document(json())
    elif format == "html":
        say_document([needing_html(page)])
    elif format == "md":
        from ..reports.markdown import markdown

        say_document([markdown(sections)])
    else:
        say_sections(sections, whole)


def say_sections(sections: Iterable[Section], whole: bool = False) -> None:
    """Print the sections of a report as tables, in the width of the terminal.

    Args:
        sections: the sections to print.
        whole: True to show all rows and whole texts.
    """
    from ..reports.terminal import lines, width

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    say_all(lines(sections, width(sys.stdout.isatty()), whole, encoding))


def needing_html(page: Callable[[], str]) -> str:
    """Return the HTML that ``page`` returns.

    Raises:
        Refused: a package for HTML is not installed.
    """
    try:
        return page()
    except ModuleNotFoundError as error:
        raise Refused(str(error)) from None


def page_of(profile: Profile) -> str:
    """Return a report as HTML, without a verdict."""
    from ..reports.html import html

    return html(profile)
