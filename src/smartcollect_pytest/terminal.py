"""Output of the summary on pytest's terminal."""

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
    """The methods of pytest's terminal reporter that are used here."""

    isatty: bool

    def write_sep(self, sep: str, title: str, **markup: bool) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


class Terminal:
    """The terminal, which shows replacements for characters that its encoding lacks.

    If a text has such characters, pytest escapes all of the text, including line ends.

    Args:
        writer: pytest's terminal reporter.
        encoding: the encoding of the terminal.
    """

    def __init__(self, writer: Writer, encoding: str) -> None:
        self._writer = writer
        self._encoding = encoding

    def write(self, sections: Iterable[Section], made: Iterable[str], verbosity: int) -> None:
        """Write the ``smartcollect`` section.

        Args:
            sections: the summary.
            made: lines about files and runs that were written.
            verbosity: pytest's verbosity. Below 0, only essential sections are shown; above 0,
                rows and texts are not cut.
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
    """Return the sections to show with ``-q``."""
    from smartcollect.reports.summary import Section

    return [
        section if section.essential else Section(lines=[section.brief])
        for section in sections
        if section.essential or section.brief
    ]
