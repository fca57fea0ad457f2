"""A report in each format that commands print."""

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
    help="How to print it.",
)
ROWS = click.option(
    "--rows",
    metavar="N",
    type=COUNT,
    default="20",
    show_default=True,
    help="Show N handlers, 0 for all.",
)
WHOLE = click.option("-v", "--verbose", is_flag=True, help="Cut neither rows nor texts.")


def say_report(
    format: str,
    sections: Iterable[Section],
    json: Callable[[], Iterable[str]],
    page: Callable[[], str],
    whole: bool,
) -> None:
    """Print a report.

    Args:
        format: one of those that `FORMAT` takes.
        sections: what people read.
        json: makes what programs read, in pieces.
        page: makes the report as HTML.
        whole: whether nothing is cut.

    Raises:
        Refused: what HTML needs is not installed.
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
    """Print what people read of a report, as wide as the terminal is.

    Args:
        sections: what they read.
        whole: whether nothing is cut.
    """
    from ..reports.terminal import lines, width

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    say_all(lines(sections, width(sys.stdout.isatty()), whole, encoding))


def needing_html(page: Callable[[], str]) -> str:
    """Return what ``page`` makes.

    Raises:
        Refused: what that needs is not installed.
    """
    try:
        return page()
    except ModuleNotFoundError as error:
        raise Refused(str(error)) from None


def page_of(profile: Profile) -> str:
    """Return a report that nobody judged as HTML."""
    from ..reports.html import html

    return html(profile)
