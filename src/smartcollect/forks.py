"""Forks: a token for the current process, and functions to run before and after a fork."""

from __future__ import annotations

import os
from collections.abc import Callable


class Process:
    """A token for a process. Unlike a process id, it is never reused."""


_here = Process()


def this_process() -> Process:
    """Return the token of this process; the child of a fork gets a new one.

    Example:
        >>> this_process() is this_process()
        True
    """
    return _here


def _nothing() -> None: ...


def at_fork(
    before: Callable[[], object] = _nothing,
    after_in_parent: Callable[[], object] = _nothing,
    after_in_child: Callable[[], object] = _nothing,
) -> None:
    """Register functions to run at each fork, like `os.register_at_fork`.

    Does nothing on platforms without forks. `this_process` already returns the child's token when
    ``after_in_child`` runs.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
        )


def _begin() -> None:
    global _here
    _here = Process()


at_fork(after_in_child=_begin)
