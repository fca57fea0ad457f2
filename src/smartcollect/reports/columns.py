"""The columns of tables: which come first, and how they fit a width.

What matters most stands to the left. Where a table is too wide, its long texts are shortened to
what still tells something; then columns are left out, those to the right first; and only then is
the rest shortened further.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..storage.fields import STATISTICS
from .widths import shortened, shortened_inside

GAP = 2
"""Spaces between columns."""


class Column(NamedTuple):
    """What is known of a column.

    Attributes:
        number: whether it stands to the right; numbers are never shortened.
        least: cells to which its texts are shortened before a column is left out; 0 for never.
        shorten: makes a text fit some cells: given the text, the cells, and what marks the cut.
    """

    number: bool = False
    least: int = 0
    shorten: Callable[[str, int, str], str] = shortened


STATISTIC_COLUMNS = {name: one.column for name, one in STATISTICS.items() if one.column}
"""The headings of statistics that tables show, by statistic."""
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
    """Return what is known of the column with that heading."""
    return _COLUMNS.get(heading, _TEXT)


def fitted(
    widths: Sequence[tuple[str, int]], room: int, kept: Collection[str] = ()
) -> dict[str, int]:
    """Return the cells of each column that a table of ``room`` cells has.

    Args:
        widths: for each column its heading and the cells of its widest text.
        room: the width of the table.
        kept: headings of columns that are left out last. The first column always stays.

    Example:
        >>> fitted([("handler", 9), ("calls", 5), ("total", 7)], 20)
        {'handler': 9, 'calls': 5}
    """
    sizes = dict(widths)
    first, *others = sizes
    # The last of these is the next to go.
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
    """Return what fits ``room``, the widest texts shortened; ``None`` where that is not enough."""
    excess = sum(sizes.values()) + GAP * (len(sizes) - 1) - room
    least = {heading: column(heading).least or size for heading, size in sizes.items()}
    if sum(max(sizes[heading] - least[heading], 0) for heading in sizes) < excess:
        return None
    narrow = dict(sizes)
    for _ in range(excess):
        wide = [heading for heading, size in narrow.items() if size > least[heading]]
        narrow[max(wide, key=narrow.__getitem__)] -= 1
    return narrow
