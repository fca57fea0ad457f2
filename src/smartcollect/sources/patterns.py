"""Patterns of functions to watch, such as ``shop.database:Connection.*``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from .known_packages import expanded

HINT = "write a module, or a module and a name in it, such as shop.database:Connection.*"
OWN = ("smartcollect", "smartcollect_pytest")
"""The packages of smartcollect, which are never watched."""
_WILDCARD = re.compile(r"[*?\[]")
_MODULE = re.compile(r"[^\s:!/\\.]([^\s:/\\.]|\.(?=[^.]))*")
_NAME = re.compile(r"[^\s:!/\\][^\s:/\\]*")
_ALWAYS = ("__init__", "__call__")
"""Special methods that a wildcard matches; other special methods must be named."""


class Pattern(NamedTuple):
    """A pattern of functions.

    Attributes:
        text: the pattern as it was written.
        module: the name of the modules, with ``*``, ``?`` and ``[…]`` as in a shell. A name without
            wildcards also covers the modules below it.
        name: the qualified name in these modules, in the same way; ``*`` for all.
        excludes: true if the pattern leaves out functions that an earlier pattern took.
    """

    text: str
    module: str
    name: str
    excludes: bool

    @property
    def root(self) -> str:
        """The package of the modules, or the module."""
        literal = _WILDCARD.split(self.module)[0]
        return literal if literal == self.module else literal.rpartition(".")[0]

    def covers(self, module: str) -> bool:
        """Return whether the pattern covers ``module``."""
        return _fits(module, self.module)

    def fits(self, module: str, name: str) -> bool:
        """Return whether the pattern matches the function ``name`` of ``module``.

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
    """Parse a pattern.

    Raises:
        ValueError: ``text`` is not a pattern, or it would match any package, or smartcollect.

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
            "your package, such as shop"
        )
    if module.partition(".")[0] in OWN:
        raise ValueError(f"{text!r} is part of smartcollect, which cannot watch itself")
    return Pattern(written, module, name or "*", written.startswith("!"))


def patterns_of(text: str) -> tuple[Pattern, ...]:
    """Parse a pattern, or the patterns of a name such as ``@redis``.

    Raises:
        ValueError: see `parse` and `expanded`.
    """
    return tuple(map(parse, expanded(text)))


def parse_all(texts: Sequence[str]) -> tuple[Pattern, ...]:
    """Parse several patterns, the first of which must not start with ``!``.

    Raises:
        ValueError: the first pattern excludes; or see `patterns_of`.
    """
    if texts and excludes(texts[0]):
        raise ValueError(
            f"{texts[0]!r} comes first, so it has nothing to leave out; put it after the pattern "
            "that it narrows"
        )
    return tuple(pattern for text in texts for pattern in patterns_of(text))


def excludes(text: str) -> bool:
    """Return whether a pattern leaves out functions that an earlier pattern took."""
    return text.lstrip().startswith("!")


def takes(patterns: Sequence[Pattern], module: str, name: str) -> bool:
    """Return whether ``patterns`` take the function ``name`` of ``module``; the last match wins.

    Example:
        >>> patterns = parse_all(["shop", "!shop:_*"])
        >>> takes(patterns, "shop", "order"), takes(patterns, "shop", "_check")
        (True, False)
    """
    for pattern in reversed(patterns):
        if pattern.fits(module, name):
            return not pattern.excludes
    return False
