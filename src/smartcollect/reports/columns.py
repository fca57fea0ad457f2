"""The columns of tables, and their layout in a given width.

The most important columns are on the left. If a table is too wide, long texts are shortened to
their smallest useful width. If that is not enough, columns are left out, starting from the right.
The first column always stays, and is shortened further if it is too wide by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..storage.fields import STATISTICS
from .widths import shortened, shortened_inside

GAP = 2
"""Spaces between columns."""


class Column(NamedTuple):
    """The layout of a column.

    Attributes:
        number: whether the column holds numbers, which are aligned to the right and not shortened.
        least: the width, in cells, to which texts are shortened before a column is left out; 0
            means that they are not shortened.
        shorten: the function that shortens a text, given the text, the cells, and the mark for
            the cut.
    """

    number: bool = False
    least: int = 0
    shorten: Callable[[str, int, str], str] = shortened


STATISTIC_COLUMNS = {name: one.column for name, one in STATISTICS.items() if one.column}
"""The headings of the statistics that tables show, by statistic."""
_NUMBER = Column(number=True)
_NAME = Column(least=28, shorten=shortened_inside)
_COLUMNS = {
    **dict.fromkeys([*STATISTIC_COLUMNS.values(), "tests", "times", "elapsed"], _NUMBER),
    **dict.fromkeys(["before", "after", "ratio", "spread", "p"], _NUMBER),
    **dict.fromkeys(["handler", "under"], _NAME),
    "test": Column(least=22, shorten=shortened_inside),
    "where": Column(least=22, shorten=shortened_inside),
}
_TEXT = Column(least=14)


def column(heading: str) -> Column:
    """Return the layout of the column with a heading."""
    return _COLUMNS.get(heading, _TEXT)


def fitted(
    widths: Sequence[tuple[str, int]], room: int, kept: Collection[str] = ()
) -> dict[str, int]:
    """Return the columns that fit into a table, and the width of each in cells.

    Args:
        widths: the heading of each column, and the width of its widest text in cells.
        room: the width of the table in cells.
        kept: the headings of columns that are left out last. The first column always stays.

    Example:
        >>> fitted([("handler", 9), ("calls", 5), ("total", 7)], 20)
        {'handler': 9, 'calls': 5}
    """
    sizes = dict(widths)
    first, *others = sizes
    # In the order of importance: the last one is left out first.
    staying = [first, *(one for one in others if one in kept)]
    staying += [one for one in others if one not in kept]
    while len(staying) > 1:
        shown = {heading: size for heading, size in sizes.items() if heading in staying}
        narrow = _narrowed(shown, room)
        if narrow is not None:
            return narrow
        staying.pop()
    return {first: max(min(sizes[first], room), 1)}


def _narrowed(sizes: dict[str, int], room: int) -> dict[str, int] | None:
    """Return widths that fit ``room``, the widest texts shortened; ``None`` if they cannot."""
    excess = sum(sizes.values()) + GAP * (len(sizes) - 1) - room
    least = {heading: column(heading).least or size for heading, size in sizes.items()}
    if sum(max(sizes[heading] - least[heading], 0) for heading in sizes) < excess:
        return None
    narrow = dict(sizes)
    for _ in range(excess):
        wide = [heading for heading, size in narrow.items() if size > least[heading]]
        narrow[max(wide, key=narrow.__getitem__)] -= 1
    return narrow
