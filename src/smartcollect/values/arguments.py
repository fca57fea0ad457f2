"""A call's arguments as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..text import one_line

MAX_CELL = 60
"""Characters of a call's arguments, or of its exception, that a table shows."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>)])")


def arguments(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Return a call's arguments as they would be written, cut to fit a table."""
    shown = [_argument(value) for value in args]
    shown += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
    # Addresses differ from run to run and say nothing.
    return one_line(_ADDRESS.sub("", ", ".join(shown)), MAX_CELL)


def _argument(value: object) -> str:
    # Text that stands for an object is its repr already; strings show their quotes.
    if type(value) is str and not (value.startswith("<") and value.endswith(">")):
        return repr(value)
    return str(value)
