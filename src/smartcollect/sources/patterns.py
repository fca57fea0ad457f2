"""Patterns that say which functions are watched: ``shop.database:Connection.*``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from .known_packages import expanded

HINT = "write a module, or a module and a name in it, such as shop.database:Connection.*"
OWN = ("smartcollect", "smartcollect_pytest")
"""Packages that are never watched, because they are what watches."""
_WILDCARD = re.compile(r"[*?\[]")
_MODULE = re.compile(r"[^\s:!/\\.]([^\s:/\\.]|\.(?=[^.]))*")
_NAME = re.compile(r"[^\s:!/\\][^\s:/\\]*")
_ALWAYS = ("__init__", "__call__")
"""Special methods that a wildcard matches; all others have to be named."""


class Pattern(NamedTuple):
    """A pattern of functions.

    Attributes:
        text: the pattern as it was written.
        module: the modules, with ``*``, ``?`` and ``[…]`` as in a shell. Without any of these it
            covers the modules below it too.
        name: the qualified names in these modules, likewise; ``*`` for all.
        excludes: whether it leaves out what an earlier pattern took.
    """

    text: str
    module: str
    name: str
    excludes: bool

    @property
    def root(self) -> str:
        """The package that the modules are in, or the module."""
        literal = _WILDCARD.split(self.module)[0]
        return literal if literal == self.module else literal.rpartition(".")[0]

    def covers(self, module: str) -> bool:
        """Tell whether ``module`` is one of the modules."""
        return _fits(module, self.module)

    def fits(self, module: str, name: str) -> bool:
        """Tell whether the pattern fits the function ``name`` of ``module``.

        Example:
            >>> parse("shop:Order.*").fits("shop.orders", "Order.total")
            True
            >>> parse("shop:Order.*").fits("shop.orders", "Order.__eq__")
            False
        """
        if not self.covers(module) or not _fits(name, self.name):
            return False
        special = [part for part in name.split(".") if _is_special(part)]
        named = self.name.split(".")
        return all(part in _ALWAYS or part in named for part in special)


def _is_special(part: str) -> bool:
    return part.startswith("__") and part.endswith("__") and len(part) > len("____")


def _fits(name: str, pattern: str) -> bool:
    if _WILDCARD.search(pattern):
        return fnmatchcase(name, pattern)
    return name == pattern or name.startswith(f"{pattern}.")


def parse(text: str) -> Pattern:
    """Return the pattern that ``text`` stands for.

    Raises:
        ValueError: it is not a pattern, or one that fits everything.

    Example:
        >>> parse("!shop.api:_*")
        Pattern(text='!shop.api:_*', module='shop.api', name='_*', excludes=True)
    """
    written = text.strip()
    module, colon, name = written.removeprefix("!").partition(":")
    if not _MODULE.fullmatch(module) or (colon and not _NAME.fullmatch(name)):
        raise ValueError(f"{text!r} is not a pattern of functions; {HINT}")
    if _WILDCARD.match(module):
        raise ValueError(
            f"{text!r} would watch functions of Python and of any package; begin with the name of "
            "a package of yours, such as shop"
        )
    if module.partition(".")[0] in OWN:
        raise ValueError(f"{text!r} is smartcollect itself, which cannot be watched")
    return Pattern(written, module, name or "*", written.startswith("!"))


def patterns_of(text: str) -> tuple[Pattern, ...]:
    """Return the patterns that ``text`` stands for: several, where it is a name such as ``@redis``.

    Raises:
        ValueError: see `parse` and `expanded`.
    """
    return tuple(map(parse, expanded(text)))


def parse_all(texts: Sequence[str]) -> tuple[Pattern, ...]:
    """Return the patterns that texts stand for; the first one has something to leave out.

    Raises:
        ValueError: see `patterns_of`; or the first of them excludes.
    """
    if texts and excludes(texts[0]):
        raise ValueError(
            f"{texts[0]!r} comes first, so there is nothing to leave out; put it after the pattern "
            "that it narrows"
        )
    return tuple(pattern for text in texts for pattern in patterns_of(text))


def excludes(text: str) -> bool:
    """Tell whether a pattern leaves out what an earlier one took."""
    return text.lstrip().startswith("!")


def takes(patterns: Sequence[Pattern], module: str, name: str) -> bool:
    """Tell whether ``patterns`` take the function ``name`` of ``module``; the last that fits wins.

    Example:
        >>> patterns = parse_all(["shop", "!shop:_*"])
        >>> takes(patterns, "shop", "order"), takes(patterns, "shop", "_check")
        (True, False)
    """
    for pattern in reversed(patterns):
        if pattern.fits(module, name):
            return not pattern.excludes
    return False
