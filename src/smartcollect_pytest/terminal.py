"""Writes the summary of a run to pytest's terminal; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from smartcollect.reports.summary import Section


_MARKUP = {
    "": {},
    "title": {"bold": True},
    "warning": {"yellow": True},
    "failure": {"red": True, "bold": True},
}


class Writer(Protocol):
    """What is used of pytest's terminal reporter."""

    isatty: bool

    def write_sep(self, sep: str, title: str, **markup: bool) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


class Terminal:
    """Writes what the terminal's encoding has, and something else for what it lacks.

    pytest would escape all of a text that it cannot write, ends of lines too.

    Args:
        writer: pytest's terminal reporter.
        encoding: that of the terminal.
    """

    def __init__(self, writer: Writer, encoding: str) -> None:
        self._writer = writer
        self._encoding = encoding

    def write(self, sections: Iterable[Section], made: Iterable[str], verbosity: int) -> None:
        """Write the ``smartcollect`` section.

        Args:
            sections: what is said.
            made: what was written besides, a line each.
            verbosity: below 0, what is not essential is left out; above, nothing is cut.
        """
        from smartcollect.reports.terminal import lines, width
        from smartcollect.text import encodable

        if verbosity < 0:
            sections = _essential(sections)
        self._writer.write_sep("=", "smartcollect")
        cells = width(self._writer.isatty)
        for text, tone in lines(sections, cells, verbosity > 0, self._encoding):
            self._writer.write_line(text, **_MARKUP[tone])
        for title in made:
            self._writer.write_sep("-", encodable(title, self._encoding))


def _essential(sections: Iterable[Section]) -> list[Section]:
    """Return what ``-q`` leaves of the sections."""
    from smartcollect.reports.summary import Section

    return [
        section if section.essential else Section(lines=[section.brief])
        for section in sections
        if section.essential or section.brief
    ]
