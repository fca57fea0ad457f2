"""Forks: which process this is, and what has to be done before and after one."""

from __future__ import annotations

import os
from collections.abc import Callable


class Process:
    """Stands for a process. Unlike its number, it never comes back."""


_here = Process()


def this_process() -> Process:
    """Return what stands for this process: another object in the child of a fork.

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
    """Do something at each fork, as `os.register_at_fork` does, where processes can fork.

    `this_process` tells the child already when ``after_in_child`` is called.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
        )


def _begin() -> None:
    global _here
    _here = Process()


at_fork(after_in_child=_begin)
