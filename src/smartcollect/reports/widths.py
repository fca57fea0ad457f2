"""The width of text on a terminal, and ways to make text narrower."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..text import CUT

# Characters that stay together: a character with its accents and selectors, emoji that are joined
# or have a skin tone, and the two halves of a flag.
_MARKS = "[\u0300-\u036f\ufe00-\ufe0f\u20d0-\u20ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_CLUSTER = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|.{_MARKS}*(?:\u200d.{_MARKS}*)*\u200d?", re.DOTALL
)
_FEWEST = 8
"""The cells that must remain for the name of a test if the path of its file stays whole."""


def width(text: str) -> int:
    """Return the width of ``text`` on a terminal, in cells.

    Example:
        >>> width("users"), width("用户")
        (5, 4)
    """
    return len(text) if text.isascii() else sum(cells for _, cells in _clusters(text))


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield the parts of ``text`` that a terminal draws as one character, with their widths."""
    from wcwidth import wcswidth, wcwidth

    whole = ""
    for found in _CLUSTER.findall(text):
        # A combining mark that `_MARKS` does not list.
        if whole and wcwidth(found[0]) == 0:
            whole += found
            continue
        if whole:
            yield whole, max(wcswidth(whole), 0)
        whole = found
    if whole:
        yield whole, max(wcswidth(whole), 0)


def start(text: str, cells: int) -> str:
    """Return as much of the beginning of ``text`` as fits into ``cells``."""
    if text.isascii():
        return text[: max(cells, 0)]
    kept, room = "", cells
    for cluster, size in _clusters(text):
        room -= size
        if room < 0:
            break
        kept += cluster
    return kept


def end(text: str, cells: int) -> str:
    """Return as much of the end of ``text`` as fits into ``cells``."""
    if text.isascii():
        return text[-cells:] if cells > 0 else ""
    kept, room = "", cells
    for cluster, size in reversed([*_clusters(text)]):
        room -= size
        if room < 0:
            break
        kept = cluster + kept
    return kept


def shortened(text: str, cells: int, mark: str = CUT) -> str:
    """Return ``text`` with its end cut off if it is wider than ``cells``.

    Example:
        >>> shortened("orders.report", 8)
        'orders.…'
    """
    if width(text) <= cells:
        return text
    return start(start(text, cells - width(mark)) + mark, cells)


def shortened_inside(text: str, cells: int, mark: str = CUT) -> str:
    """Return ``text`` with its middle cut out if it is wider than ``cells``.

    In a test's node id, the path of the file stays whole if there is room. The path and the end
    of the test's name say most about the test.

    Example:
        >>> shortened_inside("tests/test_orders.py::test_report_of_ten_years", 33)
        'tests/test_orders.py::…_ten_years'
    """
    if width(text) <= cells:
        return text
    room = cells - width(mark)
    path, colons, _ = text.partition("::")
    # The end of a name gets more room, because it says more.
    before = start(text, room // 3)
    if colons and width(path) + 2 + _FEWEST <= room:
        before = path + colons
    return start(before + mark + end(text, room - width(before)), cells)


def padded(text: str, cells: int, right: bool = False) -> str:
    """Return ``text`` padded with spaces to ``cells``, on the left if ``right`` is true."""
    space = " " * (cells - width(text))
    return space + text if right else text + space


def wrapped(text: str, cells: int | None) -> Iterator[str]:
    """Yield ``text`` as lines of at most ``cells``, with all lines but the first indented.

    If ``cells`` is ``None``, the text is a single line.

    Example:
        >>> list(wrapped("never called: users.delete", 16))
        ['never called:', '  users.delete']
    """
    if cells is None or width(text) <= cells:
        yield text
        return
    line, empty = "", ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line != empty else line + word
        if width(longer) <= cells:
            line = longer
            continue
        if line.strip():
            yield line
        empty = "  " if cells > 3 else ""
        line = empty + word
        while width(line) > cells and (head := start(line, cells)) not in ("", empty):
            yield head
            line = empty + line[len(head) :]
    yield line
