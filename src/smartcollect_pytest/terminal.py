"""Writes the summary of a run to the terminal; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from smartcollect.reports.summary import Section


_MARKUP = {"": {}, "warning": {"yellow": True}, "failure": {"red": True, "bold": True}}


class Writer(Protocol):
    """What is used of pytest's terminal reporter."""

    def write_sep(self, sep: str, title: str, **markup: bool) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


def write(writer: Writer, sections: Iterable[Section], files: Iterable[Path], quiet: bool) -> None:
    """Writes the ``smartcollect`` section.

    Args:
        writer: pytest's terminal reporter.
        sections: what is said.
        files: the reports that were written.
        quiet: whether what is not essential is left out.
    """
    writer.write_sep("=", "smartcollect")
    first = True
    for section in sections:
        if quiet and not section.essential:
            continue
        if not first:
            writer.write_line("")
        first = False
        _write(writer, section)
    for file in files:
        from smartcollect.text import short_path

        writer.write_sep("-", f"generated smartcollect report: {short_path(file)}")


def _write(writer: Writer, section: Section) -> None:
    markup = _MARKUP[section.tone]
    if section.title:
        writer.write_line(section.title, **markup)
    if section.rows:
        from smartcollect.reports.tables import table

        writer.write_line(table(section.rows))
    for line in section.lines:
        writer.write_line(line, **markup)
