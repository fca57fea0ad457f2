"""The arguments of a call, read off its frame when it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS
from operator import itemgetter
from types import CodeType
from typing import Any

from .known import name_of, type_text

Read = Callable[[Mapping[str, Any]], tuple[Any, ...]]
Bound = tuple[tuple[Any, ...], dict[str, Any]]
RECEIVERS = ("self", "cls")
"""Names of a first parameter that is shown by its class."""


class Parameters:
    """The parameters of a function.

    Args:
        code: its code.

    Attributes:
        read: returns the positional arguments from the locals of a frame that has just started;
            ``None`` where there are none.
        rest: returns positional and keyword arguments, given the locals and what ``read``
            returned; ``None`` where there are only positional parameters.
        some: whether there are any.
        receiver: whether the first one is ``self`` or ``cls``.
    """

    __slots__ = ("_keyword_only", "_keywords", "_variable", "read", "receiver", "rest", "some")

    def __init__(self, code: CodeType) -> None:
        names = code.co_varnames
        count, keyword_only = code.co_argcount, code.co_kwonlyargcount
        end = count + keyword_only
        variable = bool(code.co_flags & CO_VARARGS)
        self._keyword_only = names[count:end]
        self._variable = names[end] if variable else None
        self._keywords = names[end + variable] if code.co_flags & CO_VARKEYWORDS else None
        self.receiver = count > 0 and names[0] in RECEIVERS
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


def _reader(names: tuple[str, ...]) -> Read | None:
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        (name,) = names
        return lambda values: (values[name],)
    return None


def receiver_text(value: object) -> str:
    """Return what stands for ``self`` or ``cls``: its class, such as ``<Order>``."""
    if issubclass(type(value), type):
        return f"<{name_of(value)}>"  # type: ignore[arg-type]
    return type_text(value)
