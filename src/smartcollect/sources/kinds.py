"""The kinds of objects that can be watched, each in a module of this package."""

from __future__ import annotations

from typing import Any, Protocol

from ..recording.recorder import Recorder
from . import functions, switchers


class Source(Protocol):
    """The interface of a kind of objects that can be watched.

    Attributes:
        KIND: its name in errors.
    """

    KIND: str

    def accepts(self, target: object, /) -> bool:
        """Return whether ``target`` is of this kind."""

    def attach(self, recorder: Recorder, target: Any, /) -> None:
        """Record the calls of ``target``. Attaching it again has no effect."""

    def detach(self, recorder: Recorder, target: Any, /) -> None:
        """Undo `attach`, or raise ValueError if ``target`` is not attached."""


SOURCES: tuple[Source, ...] = (switchers, functions)


def source_of(target: object) -> Source:
    """Return the source that can watch ``target``.

    Raises:
        TypeError: no source accepts ``target``.
    """
    for source in SOURCES:
        if source.accepts(target):
            return source
    kinds = ", or a ".join(source.KIND for source in SOURCES)
    raise TypeError(f"{target!r} cannot be watched; pass a {kinds}")
