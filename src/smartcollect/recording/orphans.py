"""How replaced code finds what watches it, and what it does once nothing does any more."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from itertools import takewhile
from types import CellType, FunctionType
from typing import Any, Protocol

from ..values.functions import original_code
from ..values.known import is_scalar


class Watched(Protocol):
    """What records the calls of a function.

    Attributes:
        bound: what `hot_path.RECORD` begins with: probe, store, target, clock and pending calls.
        recorded: does what the function does, and records that.
    """

    bound: tuple[Any, ...]
    recorded: Callable[..., Any]


class Reference(weakref.ref[Any]):
    """How code finds what watches: weak, because the collector does not see what code holds.

    Args:
        watched: records the calls.
        function: the function that the code is for.
    """

    __slots__ = ("_defaults", "_keyword_defaults")
    _defaults: tuple[Any, ...]
    _keyword_defaults: dict[str, Any]

    def __new__(cls, watched: Watched, function: FunctionType) -> Reference:
        made = super().__new__(cls, watched)
        # Of the defaults only what can keep nothing else alive.
        defaults = function.__defaults__ or ()
        held = takewhile(is_scalar, reversed(defaults))
        made._defaults = tuple(held)[::-1]
        made._keyword_defaults = {
            name: value
            for name, value in (function.__kwdefaults__ or {}).items()
            if is_scalar(value)
        }
        return made

    def recorded(self, closure: tuple[CellType, ...] | None) -> Callable[..., Any]:
        """What records the calls of the function whose code asks.

        Where nothing does any more, that is the function as it was, made of what is left of it.
        """
        watched: Watched | None = self()
        if watched is not None:
            return watched.recorded
        frame = sys._getframe(1)
        code = original_code(frame.f_code)
        made = FunctionType(code, frame.f_globals, code.co_name, self._defaults, closure)
        made.__kwdefaults__ = self._keyword_defaults
        return made
