"""A call's arguments as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ..text import one_line

MAX_CELL = 60
"""Characters of a call's arguments, or of its exception, that the table of a failure shows."""
MAX_ARGUMENTS = 200
"""Characters that are kept of a call's arguments."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>)])")
_OBJECT = re.compile(r"(\w+=)?<[^<>]*>")
# A string, an object, a bracket, or what separates two arguments.
_PIECE = re.compile(
    r"""'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|<[^<>]*>|[(\[{]|[)\]}]|,\ |.""", re.DOTALL
)


def arguments(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Return a call's arguments as they would be written, cut if they are very long."""
    shown = [_argument(value) for value in args]
    shown += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
    # Addresses differ from run to run and say nothing.
    return one_line(_ADDRESS.sub("", ", ".join(shown)), MAX_ARGUMENTS)


def _argument(value: object) -> str:
    # Text that stands for an object is its repr already; strings show their quotes.
    if type(value) is str and not (value.startswith("<") and value.endswith(">")):
        return repr(value)
    return str(value)


def without_objects(text: str) -> str:
    """Return what `arguments` returned without objects, unless there is nothing else.

    Example:
        >>> without_objects("db=<Connection>, days=3650"), without_objects("<Connection>")
        ('days=3650', '<Connection>')
    """
    if "<" not in text:
        return text
    telling = [one for one in _each(text) if not _OBJECT.fullmatch(one)]
    return ", ".join(telling) or text


def _each(text: str) -> Iterator[str]:
    """Yield each argument of a text of several."""
    one, depth = "", 0
    for piece in _PIECE.findall(text):
        if piece == ", " and depth <= 0:
            yield one
            one = ""
            continue
        depth += (piece in "([{") - (piece in ")]}")
        one += piece
    yield one
