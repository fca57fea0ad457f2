"""The kinds of things that can be watched: a module of this package for each."""

from __future__ import annotations

from typing import Any, Protocol

from ..recording.recorder import Recorder
from . import functions, switchers


class Source(Protocol):
    """What a kind of thing to watch has to bring along.

    Attributes:
        KIND: what it is called in errors.
    """

    KIND: str

    def accepts(self, target: object, /) -> bool:
        """Tell whether ``target`` is of this kind."""

    def attach(self, recorder: Recorder, target: Any, /) -> None:
        """Feed a log with the calls of ``target``; twice counts once."""

    def detach(self, recorder: Recorder, target: Any, /) -> None:
        """Undo `attach`; ValueError where the log is not attached to ``target``."""


SOURCES: tuple[Source, ...] = (switchers, functions)


def source_of(target: object) -> Source:
    """Return the source that can watch ``target``.

    Raises:
        TypeError: none can.
    """
    for source in SOURCES:
        if source.accepts(target):
            return source
    kinds = " or ".join(source.KIND for source in SOURCES)
    raise TypeError(f"{target!r} cannot be watched; pass a {kinds}")
