"""What the tables of the HTML report are made of, and what they call handlers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from ...names import HandlerName, short_names
from ...profiles.parts import SlowCall
from ...storage.fields import STATISTICS
from ...storage.findings import Raised, Repeat
from ...text import printable

_KEPT = "/:?@!$&'()*+,;=-._~"
"""What a fragment of a URL may have as it is, beside letters and digits."""


class Cell(NamedTuple):
    """One cell of a table.

    Attributes:
        text: what it shows.
        kind: ``name`` of the row, ``number``, ``test``, ``code`` or ``bad``; ``""`` for plain text.
        link: where its text leads; ``""`` where that is nowhere.
        picture: SVG of our own below the text.
    """

    text: str
    kind: str = ""
    link: str = ""
    picture: str = ""


class Table(NamedTuple):
    """A table.

    Attributes:
        title: its caption, or the heading above it.
        headings: of the columns.
        rows: the cells of each row.
        more: how many rows are left out.
        meanings: what headings mean, for those that say too little.
        key: what links and the script know the table by.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0
    meanings: Mapping[str, str] = {}
    key: str = ""


def count(number: int) -> Cell:
    """Return a cell with a count."""
    return Cell(f"{number:,}", "number")


def statistic(field: str, value: float | None) -> Cell:
    """Return a cell with a statistic.

    Example:
        >>> statistic("max_time", 0.0123).text
        '12.3 ms'
    """
    return Cell(STATISTICS[field].text(value), "number")


def time(seconds: float) -> Cell:
    """Return a cell with a duration."""
    return statistic("total_time", seconds)


def test(node_id: str) -> Cell:
    """Return a cell with a test, which a script makes a link."""
    return Cell(node_id, "test" if node_id else "")


def code(text: str) -> Cell:
    """Return a cell with arguments, or whatever else is written as code."""
    return Cell(text, "code" if text else "")


def raised(one: Raised) -> list[Cell]:
    """Return the cells of an error, without handler and test."""
    return [count(one.calls), Cell(one.type), Cell(one.message)]


def repeated(one: Repeat) -> list[Cell]:
    """Return the cells of repeated calls, without the handlers."""
    how = "the same: keep the answer" if one.same else "different: ask for all at once"
    return [count(one.times), count(one.parents), Cell(how), test(one.test)]


def slow(one: SlowCall) -> list[Cell]:
    """Return the cells of a slow call, without the handler."""
    elapsed = statistic("max_time", one.elapsed)
    return [elapsed, code(one.arguments), Cell(one.error), test(one.test)]


class Labels:
    """What the report calls handlers, each one differently, and where it describes them.

    Args:
        described: the handlers that have a place of their own.
        others: those that are only mentioned.

    Example:
        >>> labels = Labels([HandlerName("shop", "users.get"), HandlerName("shop", "a b")])
        >>> labels[HandlerName("shop", "users.get")], labels.link(HandlerName("shop", "a b"))
        ('users.get', '#handler=a%20b')
    """

    def __init__(
        self, described: Iterable[HandlerName], others: Iterable[HandlerName] = ()
    ) -> None:
        self._described = set(described)
        known = sorted({*self._described, *others})
        short = short_names(known)
        self._labels: dict[HandlerName, str] = {}
        taken: set[str] = set()
        for name in known:
            # A full name may be the short one of somebody else, and escapes may make two alike.
            label = printable(short[name])
            number = 2
            while label in taken:
                label, number = f"{printable(name.full)} ({number})", number + 1
            taken.add(label)
            self._labels[name] = label

    def __getitem__(self, name: HandlerName) -> str:
        return self._labels.get(name) or printable(name.full)

    def id(self, name: HandlerName) -> str:
        """Return the ``id`` of the element that describes a handler."""
        return f"handler={self[name]}"

    def link(self, name: HandlerName) -> str:
        """Return a link to what describes a handler; ``""`` where nothing does."""
        return fragment(self.id(name)) if name in self._described else ""

    def cell(self, name: HandlerName, kind: str = "code") -> Cell:
        """Return a cell with the name of a handler."""
        return Cell(self[name], kind, self.link(name))


def fragment(id: str) -> str:
    """Return a link to the element of this page that has an ``id``.

    Example:
        >>> fragment("handler=a b#ü")
        '#handler=a%20b%23%C3%BC'
    """
    return f"#{quote(id, safe=_KEPT)}"


def grouped(items: Iterable[Any], key: str) -> dict[HandlerName, list[Any]]:
    """Return items by one of their attributes, a handler, in their order."""
    found: dict[HandlerName, list[Any]] = {}
    for item in items:
        found.setdefault(getattr(item, key), []).append(item)
    return found
