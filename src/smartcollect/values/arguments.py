"""The arguments of a call as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ..text import one_line

MAX_CELL = 60
"""Maximum length of arguments, or of an exception, in the table of a failed assertion."""
MAX_ARGUMENTS = 200
"""Maximum length of the text of a call's arguments."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>)])")
_OBJECT = re.compile(r"(\w+=)?<[^<>]*>")
# A string, an object, a bracket, or what separates two arguments.
_PIECE = re.compile(
    r"""'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|<[^<>]*>|[(\[{]|[)\]}]|,\ |.""", re.DOTALL
)


def arguments(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Return arguments as written in a call, cut if they are too long."""
    shown = [_argument(value) for value in args]
    shown += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
    # Addresses differ from run to run.
    return one_line(_ADDRESS.sub("", ", ".join(shown)), MAX_ARGUMENTS)


def _argument(value: object) -> str:
    # Text such as <Order> already represents an object; other strings get quotes.
    if type(value) is str and not (value.startswith("<") and value.endswith(">")):
        return repr(value)
    return str(value)


def without_objects(text: str) -> str:
    """Remove objects from the text of `arguments`, unless there is nothing else.

    Example:
        >>> without_objects("db=<Connection>, days=3650"), without_objects("<Connection>")
        ('days=3650', '<Connection>')
    """
    if "<" not in text:
        return text
    telling = [one for one in _each(text) if not _OBJECT.fullmatch(one)]
    return ", ".join(telling) or text


def _each(text: str) -> Iterator[str]:
    """Yield each argument in ``text``."""
    one, depth = "", 0
    for piece in _PIECE.findall(text):
        if piece == ", " and depth <= 0:
            yield one
            one = ""
            continue
        depth += (piece in "([{") - (piece in ")]}")
        one += piece
    yield one
