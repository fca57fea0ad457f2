"""The summary as lines of text for a terminal or a log file."""

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
"""The smallest supported width of a terminal, in cells."""
LOG = 120
"""The width of a line if there is no terminal, in cells."""


class Line(NamedTuple):
    """A line of the summary.

    Attributes:
        text: the text.
        tone: ``""``, ``title``, ``warning`` or ``failure``. Terminals may color the line by it.
    """

    text: str
    tone: str = ""


def width(is_terminal: bool) -> int:
    """Return the width of a line in cells.

    That is ``COLUMNS``, which pytest uses too, or the width of the terminal, but at least 80.
    Without either, as in a CI log, it is 120.
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
    """Yield the lines of the summary, with an empty line between two sections.

    Args:
        sections: the sections of the summary.
        width: the width of a line in cells.
        whole: whether to cut and leave out nothing, however wide the lines become.
        encoding: the encoding of the terminal. Characters that it lacks are replaced.

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
    """Return ``section`` with the characters that ``encoding`` lacks replaced.

    This comes before the layout, because replacements can be wider.
    """

    def shown(text: object) -> str:
        return encodable(one_line(text), encoding)

    return section._replace(
        title=shown(section.title),
        rows=[{shown(head): shown(cell) for head, cell in row.items()} for row in section.rows],
        lines=list(map(shown, section.lines)),
    )


def _lines_of(section: Section, room: int | None, cut: str) -> Iterator[Line]:
    below = list(section.lines)
    if section.title:
        for text in wrapped(section.title, room):
            yield Line(text, section.tone or "title")
    if section.rows:
        table = drawn(section.rows, room, section.kept, cut)
        yield from map(Line, table.head)
        tones = [*section.tones, *[""] * len(table.rows)]
        yield from map(Line, table.rows, tones)
        if table.left_out:
            below.append(f"{cut} not shown: {', '.join(table.left_out)}; -v shows all")
    for line in below:
        for text in wrapped(line, room):
            yield Line(text, section.tone)
