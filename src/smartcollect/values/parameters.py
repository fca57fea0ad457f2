"""Parameters of functions, and reading of arguments from the frame of a call."""

from __future__ import annotations

import dis
import re
import weakref
from collections.abc import Callable, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS
from operator import itemgetter
from types import CodeType
from typing import Any

from .known import is_scalar, known_text, name_of, type_text
from .snapshot import UNKNOWN

Read = Callable[[Mapping[str, Any]], tuple[Any, ...]]
Bound = tuple[tuple[Any, ...], dict[str, Any]]
# Opcodes that set or delete local variables, including `AND_CLEAR`, which comprehensions use.
_ASSIGNS = re.compile("(STORE|DELETE)_(FAST|DEREF)|AND_CLEAR")
RECEIVERS = ("self", "cls")
"""Names of a first parameter whose argument is shown by its class."""
LATE = (UNKNOWN,)
"""Marks arguments that are captured only at the end, if at all; see `Parameters.lasting`."""


class Parameters:
    """The parameters of a function.

    Args:
        code: the code of the function.

    Attributes:
        only: the name of the positional parameter, if there is exactly one.
        read: a function that returns the positional arguments from the local variables of a frame
            that has just started; ``None`` without positional parameters.
        rest: a function that returns positional and keyword arguments, given the local variables
            and the result of ``read``; ``None`` if there are only positional parameters.
        some: whether there are any parameters.
        receiver: whether the first parameter is ``self`` or ``cls``.
        known: the class of the last receiver, and the text for its objects; ``None`` before the
            first.
    """

    __slots__ = (
        *("_keyword_only", "_keywords", "_positional", "_variable"),
        *("known", "only", "read", "receiver", "rest", "some"),
    )

    def __init__(self, code: CodeType) -> None:
        names = code.co_varnames
        count, keyword_only = code.co_argcount, code.co_kwonlyargcount
        end = count + keyword_only
        variable = bool(code.co_flags & CO_VARARGS)
        self._keyword_only = names[count:end]
        self._variable = names[end] if variable else None
        self._keywords = names[end + variable] if code.co_flags & CO_VARKEYWORDS else None
        self._positional = names[:count]
        self.receiver = count > 0 and names[0] in RECEIVERS
        self.known: tuple[weakref.ref[type], str] | None = None
        self.only = names[0] if count == 1 else None
        self.read = _reader(names[:count])
        plain = not (self._keyword_only or self._variable or self._keywords)
        self.rest = None if plain else self._rest
        self.some = self.read is not None or not plain

    def _rest(self, values: Mapping[str, Any], args: tuple[Any, ...]) -> Bound:
        if self._variable is not None:
            args += values[self._variable]
        kwargs = {name: values[name] for name in self._keyword_only}
        if self._keywords is not None:
            kwargs.update(values[self._keywords])
        return args, kwargs

    def know(self, receiver: object) -> tuple[weakref.ref[type], str]:
        """Set and return ``known`` for ``receiver``."""
        kind = type(receiver)
        # A class as receiver (``cls``) is shown by its own name: see `receiver_text`.
        text = "" if issubclass(kind, type) else type_text(receiver)
        known = self.known = weakref.ref(kind), text
        return known

    def lasting(self, code: CodeType, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments at the end of a call, as far as they cannot have changed.

        Scalars and immutable values are shown as they are. Other objects, such as lists, may have
        changed and are shown by type. ``None`` if the function may have assigned to a parameter.
        """
        if not _assigned(code).isdisjoint(self._positional):
            return None
        return {name: _lasting(values[name]) for name in self._positional}


def _assigned(code: CodeType) -> set[str]:
    """Return the local variables that ``code``, or a function inside it, may set or delete."""
    found = set(code.co_cellvars)
    for instruction in dis.get_instructions(code):
        if _ASSIGNS.search(instruction.opname):
            # Some instructions set two variables at once.
            names = instruction.argval
            found.update(names if type(names) is tuple else (names,))
    return found


def _lasting(value: Any) -> Any:
    if is_scalar(value):
        return value
    text = known_text(value)
    return type_text(value) if text is None else text


def _reader(names: tuple[str, ...]) -> Read | None:
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        (name,) = names
        return lambda values: (values[name],)
    return None


def receiver_text(value: object) -> str:
    """Return the text for ``self`` or ``cls``: its class, such as ``<Order>``."""
    if issubclass(type(value), type):
        return f"<{name_of(value)}>"  # type: ignore[arg-type]
    return type_text(value)
