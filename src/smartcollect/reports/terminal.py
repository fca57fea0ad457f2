"""The summary as the lines of a terminal, or of a log, of some width."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ..text import CUT, encodable, one_line
from .summary import Section
from .tables import drawn
from .widths import wrapped

NARROWEST = 80
"""Cells of the narrowest terminal that the summary is made for."""
LOG = 120
"""Cells of a line where there is no terminal."""


class Line(NamedTuple):
    """A line of the summary.

    Attributes:
        text: what it says.
        tone: ``""``, ``title``, ``warning`` or ``failure``: what a terminal may colour.
    """

    text: str
    tone: str = ""


def width(is_terminal: bool) -> int:
    """Return the cells of a line.

    That of the terminal, or ``COLUMNS``, by which pytest goes too; at least 80. Where there is
    neither, as in the log of a CI, 120.
    """
    size = 0
    with suppress(ValueError):
        size = int(os.environ.get("COLUMNS", 0))
    if size <= 0:
        size = shutil.get_terminal_size().columns if is_terminal else LOG
    return max(size, NARROWEST)


def lines(
    sections: Iterable[Section], width: int, whole: bool = False, encoding: str = "utf-8"
) -> Iterator[Line]:
    """Yield the lines of the summary, an empty one between two sections.

    Args:
        sections: what it says.
        width: cells of a line.
        whole: whether nothing is cut or left out, however wide the lines become.
        encoding: that of the terminal; something else stands for each character that it lacks.

    Example:
        >>> from smartcollect.reports.summary import Section
        >>> [line.text for line in lines([Section("errors", [{"handler": "get", "calls": 3}])], 80)]
        ['errors', 'handler  calls', '-------  -----', 'get          3']
    """
    room = None if whole else width
    for number, section in enumerate(sections):
        if number and not section.close:
            yield Line("")
        yield from _lines_of(_encoded(section, encoding), room, encodable(CUT, encoding))


def _encoded(section: Section, encoding: str) -> Section:
    """Return ``section`` in characters that a terminal has: before columns are as wide as these."""

    def shown(text: object) -> str:
        return encodable(one_line(text), encoding)

    return section._replace(
        title=shown(section.title),
        rows=[{shown(head): shown(cell) for head, cell in row.items()} for row in section.rows],
        lines=list(map(shown, section.lines)),
    )


def _lines_of(section: Section, room: int | None, cut: str) -> Iterator[Line]:
    said = list(section.lines)
    if section.title:
        for text in wrapped(section.title, room):
            yield Line(text, section.tone or "title")
    if section.rows:
        table = drawn(section.rows, room, section.kept, cut)
        yield from map(Line, table.head)
        tones = [*section.tones, *[""] * len(table.rows)]
        yield from map(Line, table.rows, tones)
        if table.left_out:
            said.append(f"{cut} without {', '.join(table.left_out)}; -v shows all")
    for line in said:
        for text in wrapped(line, room):
            yield Line(text, section.tone)
