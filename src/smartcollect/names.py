"""Names of handlers, and the search for a handler by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeAlias

from .text import printable

_WATCH = 'smartcollect_watch or in collecting("package")'
NO_HANDLERS = (
    "no handlers are registered; register functions with smartswitch, or name the functions to "
    f"watch in {_WATCH}"
)
_SHOWN = 10


class HandlerName(NamedTuple):
    """The name of a handler, in two parts.

    Attributes:
        switcher: the name of the switcher where the selector starts; for a function, the name of
            its module.
        handler: the selector that dispatches the handler from that switcher, such as ``process``
            or ``users.list``; for a function, its qualified name.

    Example:
        >>> HandlerName("shop", "users.list").full
        'shop.users.list'
    """

    switcher: str
    handler: str

    @property
    def shown(self) -> str:
        """The selector with escapes for characters that are not printable."""
        return printable(self.handler)

    @property
    def full(self) -> str:
        """The full name, with both parts: ``shop.users.list``."""
        return f"{self.switcher}.{self.handler}"

    @property
    def path(self) -> str:
        """The full name in the syntax of patterns: ``shop.database:Connection.execute``."""
        return f"{self.switcher}:{self.handler}"

    def fits(self, name: str) -> bool:
        """Return whether ``name`` is the selector, the full name or the path."""
        return name in (self.handler, self.full, self.path)

    def like(self, pattern: str) -> bool:
        """Return whether ``pattern`` matches the selector, the full name or the path.

        ``*``, ``?`` and ``[…]`` work as in a shell.

        Example:
            >>> HandlerName("shop", "users.list").like("users.*")
            True
        """
        return any(fnmatchcase(one, pattern) for one in (self.handler, self.full, self.path))


Names: TypeAlias = Mapping[HandlerName, str]
"""The text that stands for each handler."""


def short_names(names: Iterable[HandlerName]) -> dict[HandlerName, str]:
    """Return a short name for each handler: its selector if that is unique, or its full name."""
    names = list(names)
    times = Counter(name.handler for name in names)
    return {name: name.handler if times[name.handler] == 1 else name.full for name in names}


class AmbiguousHandler(KeyError):
    """A name that matches more than one handler."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownHandler(KeyError):
    """A name that matches no known handler."""

    def __str__(self) -> str:
        return str(self.args[0])


def find(names: Iterable[HandlerName], wanted: str) -> HandlerName:
    """Return the handler that a selector or full name means.

    Args:
        names: the names of the known handlers.
        wanted: a selector or full name.

    Raises:
        UnknownHandler: ``wanted`` matches no handler; the error suggests a similar name.
        AmbiguousHandler: ``wanted`` matches more than one handler.
        TypeError: ``wanted`` is not text.
    """
    if not isinstance(wanted, str):
        raise TypeError(f"handler must be a string, not {wanted!r}")
    names = list(names)
    fitting = [name for name in names if name.fits(wanted)]
    if len(fitting) > 1:
        listed = ", ".join(sorted(repr(name.full) for name in fitting))
        raise AmbiguousHandler(f"{wanted!r} matches {listed}; use one of these full names")
    if fitting:
        return fitting[0]
    short = short_names(names)
    alike = sorted(short[name] for name in names if name.like(wanted))
    if alike:
        raise UnknownHandler(f"{wanted!r} is a pattern; pass one name, such as {alike[0]!r}")
    raise UnknownHandler(no_such(names, wanted))


def did_you_mean(wanted: object, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return a question that suggests the name in ``known`` that is most similar, or ``""``.

    Args:
        wanted: the name that is not known.
        known: the known names.
        cutoff: how similar a name must be, from 0 to 1.

    Example:
        >>> did_you_mean("samplerate", ["enabled", "sample_rate"])
        "did you mean 'sample_rate'?"
    """
    near = get_close_matches(str(wanted), known, 1, cutoff)
    return f"did you mean {near[0]!r}?" if near else ""


def no_such(names: Iterable[HandlerName], wanted: str) -> str:
    """Return an error text: no handler fits ``wanted``, with a similar name or known names."""
    fits = "matches" if any(map(wanted.__contains__, "*?[")) else "is named"
    names = list(names)
    return f"no handler {fits} {wanted!r}" + (
        f"; {hint(names, wanted)}" if names else f": {NO_HANDLERS}"
    )


def hint(names: Iterable[HandlerName], wanted: str, state: str = "registered") -> str:
    """Return a name in ``names`` that is similar to ``wanted``, or their list, for an error.

    Args:
        names: the names of the known handlers.
        wanted: the name or pattern that fits none of them.
        state: the property that the known handlers share.
    """
    names = list(names)
    if not names:
        return f"no handlers are {state}"
    known = sorted({name.handler for name in names} | {name.full for name in names})
    shown = sorted(map(printable, short_names(names).values()))
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    near = did_you_mean(wanted, known)
    if near:
        return near
    watch = f"; name other functions to watch in {_WATCH}" if state == "registered" else ""
    return f"{state}: {', '.join(shown[:_SHOWN])}{more}{watch}"
