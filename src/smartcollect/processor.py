"""How long the calling thread ran on a processor, and how long it waited for one.

Linux tells both: the time of a thread, and its run delay, the time in which it could have run and
did not because something else did (``/proc/thread-self/schedstat``, see *Scheduler statistics* in
the documentation of the kernel). Elsewhere the run delay is not known.
"""

from __future__ import annotations

import os
from _thread import _local, get_ident
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import NamedTuple
from weakref import WeakSet

from .forks import at_fork

_FILE = "/proc/thread-self/schedstat"
_GOOD_FOR = 0.0001
"""For so many seconds a reading holds: who waits for a processor waits for longer, mostly."""


class Spent(NamedTuple):
    """Where the time of a call went.

    Attributes:
        ran: seconds that it ran on a processor.
        delayed: seconds in which its thread could have run and did not; ``None`` where nothing
            tells.
        late: those of them that passed while it awaited something.
        waited: seconds in which it awaited something.
    """

    ran: float
    delayed: float | None
    late: float = 0.0
    waited: float = 0.0


class ThreadTimes(NamedTuple):
    """Where a thread's time went, from some moment on.

    Attributes:
        ran: seconds on a processor.
        delayed: seconds in which it could have run and did not; ``None`` where nothing tells.
        thread: its identity.
    """

    ran: float
    delayed: float | None
    thread: int

    def since(self, earlier: ThreadTimes) -> Spent | None:
        """Return where the time from ``earlier`` to now went; ``None`` in another thread."""
        if self.thread != earlier.thread:
            return None
        delayed = None
        if self.delayed is not None and earlier.delayed is not None:
            delayed = self.delayed - earlier.delayed
        return Spent(self.ran - earlier.ran, delayed)

    def unseen(self) -> ThreadTimes:
        """Return the same for a call that runs and waits unseen: nothing that ran counts as its."""
        return self._replace(ran=inf)


MOST_FILES = 32
"""Threads that keep a file open at a time: an application may need the descriptors."""

# Bound here: suites replace what is in `os`, and the end of the interpreter removes it. In a tuple:
# those that exchange the file system look for the functions that a module holds.
_OS = (os.open, os.close, os.fstat, os.path.samestat, getattr(os, "pread", None))


class _Descriptor:
    """A thread's own file of scheduler statistics, open as long as the thread runs.

    Raises:
        OSError: there is none.
    """

    __slots__ = ("_identity", "_os", "number")
    open_files = 0

    def __init__(self) -> None:
        self._os = _OS
        self.number = self._os[0](_FILE, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = self._os[2](self.number)
        _Descriptor.open_files += 1

    def __del__(self) -> None:
        # An application that closed all descriptors may have opened another file by this number.
        with suppress(OSError, AttributeError):
            _, close, fstat, samestat, _ = self._os
            _Descriptor.open_files -= 1
            if samestat(fstat(self.number), self._identity):
                close(self.number)


class _Reader(_local):
    """The last reading of each thread, and the file that it came from."""

    def __init__(self) -> None:
        self.at = -inf
        self.times = ThreadTimes(0.0, None, get_ident())
        self.descriptor: _Descriptor | None = None
        if _OS[-1] is not None and _Descriptor.open_files < MOST_FILES:
            with suppress(OSError):  # another system, or no room
                self.descriptor = _Descriptor()

    def delayed(self) -> float | None:
        """Return for how many seconds the thread waited for a processor, where that is told."""
        pread = _OS[-1]
        if self.descriptor is None or pread is None:
            return None
        try:
            _, delayed, slices = pread(self.descriptor.number, 64, 0).split()
            # Kernels that count nothing write zeros.
            return int(delayed) / 1e9 if int(slices) else None
        except (OSError, ValueError):  # the application closed it
            self.descriptor = None
            return None


_readers: WeakSet[ThreadClock] = WeakSet()


class ThreadClock:
    """Tells the times of the calling thread, given the time now.

    Args:
        thread_time: the processor time of the calling thread, in seconds.
    """

    def __init__(self, thread_time: Callable[[], float]) -> None:
        self._thread_time = thread_time
        self._reader = _Reader()
        _readers.add(self)

    def forget(self) -> None:
        """Open files anew: a child has those of its parent's threads."""
        self._reader = _Reader()

    def __call__(self, now: float) -> ThreadTimes:
        """Return the times of this thread, read anew unless that was done just now."""
        mine = self._reader
        past = now - mine.at
        if 0.0 <= past < _GOOD_FOR:
            ran, delayed, thread = mine.times
            return ThreadTimes(ran + past, delayed, thread)
        mine.at = now
        mine.times = ThreadTimes(self._thread_time(), mine.delayed(), mine.times.thread)
        return mine.times


def _after_fork_in_child() -> None:
    for clock in list(_readers):
        clock.forget()


at_fork(after_in_child=_after_fork_in_child)
