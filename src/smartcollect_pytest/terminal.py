"""Writes the summary of a run to the terminal; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from smartcollect.reports.summary import Section


_MARKUP = {"": {}, "warning": {"yellow": True}, "failure": {"red": True, "bold": True}}


class Writer(Protocol):
    """What is used of pytest's terminal reporter."""

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

    def write(self, sections: Iterable[Section], made: Iterable[str], quiet: bool) -> None:
        """Writes the ``smartcollect`` section.

        Args:
            sections: what is said.
            made: what was written besides, a line each.
            quiet: whether what is not essential is left out.
        """
        from smartcollect.reports.summary import Section

        self._writer.write_sep("=", "smartcollect")
        first = True
        for section in sections:
            if quiet and not section.essential:
                if not section.brief:
                    continue
                section = Section(lines=[section.brief])
            if not first:
                self._writer.write_line("")
            first = False
            self._write(section)
        for title in made:
            self._writer.write_sep("-", self._shown(title))

    def _write(self, section: Section) -> None:
        markup = _MARKUP[section.tone]
        if section.title:
            self._writer.write_line(self._shown(section.title), **markup)
        if section.rows:
            from smartcollect.reports.tables import table

            # Before the columns are as wide as their cells.
            rows = [
                {self._shown(head): self._shown(str(cell)) for head, cell in row.items()}
                for row in section.rows
            ]
            for line in table(rows).splitlines():
                self._writer.write_line(line)
        for line in section.lines:
            self._writer.write_line(self._shown(line), **markup)

    def _shown(self, text: str) -> str:
        from smartcollect.text import encodable

        return encodable(text, self._encoding)
