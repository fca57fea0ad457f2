"""Tables and cells of the HTML report, and its names and links for handlers."""

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
"""The characters that need no escape in the fragment of a URL, besides letters and digits."""


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: the text.
        kind: ``name`` (of the row), ``number``, ``test``, ``code``, ``bad``, or ``""`` for plain
            text.
        link: the target of the text as a link; ``""`` for none.
        picture: SVG below the text. It is not escaped, so it must not contain text of the run.
    """

    text: str
    kind: str = ""
    link: str = ""
    picture: str = ""


class Table(NamedTuple):
    """A table.

    Attributes:
        title: the caption of the table, or the heading above it.
        headings: the headings of the columns.
        rows: the cells of each row.
        more: the number of rows that are left out.
        meanings: explanations of headings, shown as tooltips.
        key: the id of the table in links and in the script.
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
    """Return a cell with the node id of a test, which the script turns into a link."""
    return Cell(node_id, "test" if node_id else "")


def code(text: str) -> Cell:
    """Return a cell with arguments or other text in the font for code."""
    return Cell(text, "code" if text else "")


def raised(one: Raised) -> list[Cell]:
    """Return the cells of an error, without its handler and its test."""
    return [count(one.calls), Cell(one.type), Cell(one.message)]


def repeated(one: Repeat) -> list[Cell]:
    """Return the cells of repeated calls, without their handlers."""
    how = "the same: cache the result" if one.same else "different: get all with one call"
    return [count(one.times), count(one.parents), Cell(how), test(one.test)]


def slow(one: SlowCall) -> list[Cell]:
    """Return the cells of a slow call, without its handler."""
    elapsed = statistic("max_time", one.elapsed)
    return [elapsed, code(one.arguments), Cell(one.error), test(one.test)]


class Labels:
    """Unique names for the handlers in the report, and links to their descriptions.

    Args:
        described: the handlers that the report describes.
        others: handlers that the report only mentions.

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
            # The full name of a handler may be the short name of another one, and two names may be
            # equal once they are escaped.
            label = printable(short[name])
            number = 2
            while label in taken:
                label, number = f"{printable(name.full)} ({number})", number + 1
            taken.add(label)
            self._labels[name] = label

    def __getitem__(self, name: HandlerName) -> str:
        return self._labels.get(name) or printable(name.full)

    def id(self, name: HandlerName) -> str:
        """Return the ``id`` of the HTML element that describes a handler."""
        return f"handler={self[name]}"

    def link(self, name: HandlerName) -> str:
        """Return a link to the description of a handler; ``""`` if it has none."""
        return fragment(self.id(name)) if name in self._described else ""

    def cell(self, name: HandlerName, kind: str = "code") -> Cell:
        """Return a cell with the name of a handler, linked to its description."""
        return Cell(self[name], kind, self.link(name))


def fragment(id: str) -> str:
    """Return a link to the element of the page with an ``id``.

    Example:
        >>> fragment("handler=a b#ü")
        '#handler=a%20b%23%C3%BC'
    """
    return f"#{quote(id, safe=_KEPT)}"


def grouped(items: Iterable[Any], key: str) -> dict[HandlerName, list[Any]]:
    """Return items grouped by the attribute ``key``, a handler. Their order stays."""
    found: dict[HandlerName, list[Any]] = {}
    for item in items:
        found.setdefault(getattr(item, key), []).append(item)
    return found
