"""What handlers are called, and which of them a name means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from .text import printable

_SHOWN = 10


class HandlerName(NamedTuple):
    """What names one handler.

    Attributes:
        switcher: the name of the switcher that the selector starts from; of a function, its
            module.
        handler: the selector that dispatches the handler from there: ``process``, ``users.list``;
            of a function, its qualified name.

    Example:
        >>> HandlerName("shop", "users.list").full
        'shop.users.list'
    """

    switcher: str
    handler: str

    @property
    def shown(self) -> str:
        """The selector as it can be printed."""
        return printable(self.handler)

    @property
    def full(self) -> str:
        """Both parts: ``shop.users.list``."""
        return f"{self.switcher}.{self.handler}"

    @property
    def path(self) -> str:
        """Both parts as patterns of functions have them: ``shop.database:Connection.execute``."""
        return f"{self.switcher}:{self.handler}"

    def fits(self, name: str) -> bool:
        """Whether ``name`` is the selector or the full name."""
        return name in (self.handler, self.full, self.path)

    def like(self, pattern: str) -> bool:
        """Whether ``pattern``, with ``*``, ``?`` and ``[…]`` as in a shell, fits either.

        Example:
            >>> HandlerName("shop", "users.list").like("users.*")
            True
        """
        return any(fnmatchcase(one, pattern) for one in (self.handler, self.full, self.path))


def short_names(names: Iterable[HandlerName]) -> dict[HandlerName, str]:
    """What to call each handler: its selector where that is enough, or else its full name."""
    names = list(names)
    times = Counter(name.handler for name in names)
    return {name: name.handler if times[name.handler] == 1 else name.full for name in names}


class AmbiguousHandler(KeyError):
    """A name that fits two handlers."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownHandler(KeyError):
    """A name that fits no registered handler."""

    def __str__(self) -> str:
        return str(self.args[0])


def find(names: Iterable[HandlerName], wanted: str) -> HandlerName:
    """The one of ``names`` that ``wanted``, a selector or a full name, fits.

    Raises:
        UnknownHandler: it fits none; the error suggests the nearest.
        AmbiguousHandler: it fits more than one.
    """
    names = list(names)
    fitting = [name for name in names if name.fits(wanted)]
    if len(fitting) > 1:
        listed = ", ".join(sorted(repr(name.full) for name in fitting))
        raise AmbiguousHandler(
            f"handler: {wanted!r} fits {listed}; accepted: one of these full names"
        )
    if fitting:
        return fitting[0]
    raise UnknownHandler(f"handler: {no_such(names, wanted)}")


def no_such(names: Iterable[HandlerName], wanted: str) -> str:
    """That no handler is called ``wanted``, and which it could have been."""
    names = list(names)
    known = sorted({name.handler for name in names} | {name.full for name in names})
    near = get_close_matches(str(wanted), known, 1, cutoff=0.5)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif known:
        shown = sorted(name.shown for name in names)
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        hint = f"registered: {', '.join(shown[:_SHOWN])}{more}"
    else:
        hint = "none is registered"
    return f"no handler is named {wanted!r}; {hint}"
