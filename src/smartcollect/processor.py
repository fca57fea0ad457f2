"""Clock for the time that a thread ran on a processor, and the time that it waited for one.

Linux reports both: the processor time of a thread, and its run delay, the time in which the thread
could have run but another one did (``/proc/thread-self/schedstat``, see *Scheduler statistics* in
the documentation of the kernel). On other systems the run delay is unknown.
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
"""Seconds for which a reading is reused: a thread that waits mostly waits longer than this."""


class Spent(NamedTuple):
    """The parts of a call's time.

    Attributes:
        ran: seconds on a processor.
        delayed: seconds in which the thread waited for a processor; ``None`` if unknown.
        late: the part of ``delayed`` that passed while the call awaited something.
        waited: seconds in which the call awaited something.
    """

    ran: float
    delayed: float | None
    late: float = 0.0
    waited: float = 0.0


class ThreadTimes(NamedTuple):
    """The times of a thread so far. Only differences of two readings are meaningful.

    Attributes:
        ran: seconds on a processor.
        delayed: seconds in which the thread waited for a processor; ``None`` if unknown.
        thread: the identity of the thread.
    """

    ran: float
    delayed: float | None
    thread: int

    def since(self, earlier: ThreadTimes) -> Spent | None:
        """Return the times from ``earlier`` to this reading; ``None`` for different threads."""
        if self.thread != earlier.thread:
            return None
        delayed = None
        if self.delayed is not None and earlier.delayed is not None:
            delayed = self.delayed - earlier.delayed
        return Spent(self.ran - earlier.ran, delayed)

    def unseen(self) -> ThreadTimes:
        """Return a starting point from which no processor time counts, for a call that runs
        unobserved.
        """
        return self._replace(ran=inf)


MOST_FILES = 32
"""The most threads that keep a file open at a time: the application may need the descriptors."""

# Bound early, because test suites patch `os` and the interpreter clears it at exit. In a tuple,
# because libraries that fake the file system replace the functions in a module's namespace.
_OS = (os.open, os.close, os.fstat, os.path.samestat, getattr(os, "pread", None))


class _Descriptor:
    """The open file of a thread's scheduler statistics. It closes when the thread ends.

    Raises:
        OSError: the system does not have this file.
    """

    __slots__ = ("_identity", "_os", "number")
    open_files = 0

    def __init__(self) -> None:
        self._os = _OS
        self.number = self._os[0](_FILE, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = self._os[2](self.number)
        _Descriptor.open_files += 1

    def __del__(self) -> None:
        # If the application closed all descriptors, this number may now belong to its own file.
        with suppress(OSError, AttributeError):
            _, close, fstat, samestat, _ = self._os
            _Descriptor.open_files -= 1
            if samestat(fstat(self.number), self._identity):
                close(self.number)


class _Reader(_local):
    """The last reading of each thread, and the thread's file of scheduler statistics."""

    def __init__(self) -> None:
        self.at = -inf
        self.times = ThreadTimes(0.0, None, get_ident())
        self.descriptor: _Descriptor | None = None
        if _OS[-1] is not None and _Descriptor.open_files < MOST_FILES:
            with suppress(OSError):  # not Linux, or too many open files
                self.descriptor = _Descriptor()

    def delayed(self) -> float | None:
        """Return the seconds that the thread has waited for a processor; ``None`` if unknown."""
        pread = _OS[-1]
        if self.descriptor is None or pread is None:
            return None
        try:
            _, delayed, slices = pread(self.descriptor.number, 64, 0).split()
            # Kernels without scheduler statistics write zeros.
            return int(delayed) / 1e9 if int(slices) else None
        except (OSError, ValueError):  # the application closed the descriptor
            self.descriptor = None
            return None


_readers: WeakSet[ThreadClock] = WeakSet()


class ThreadClock:
    """A clock that returns the times of the calling thread.

    Args:
        thread_time: returns the processor time of the calling thread, in seconds.
    """

    def __init__(self, thread_time: Callable[[], float]) -> None:
        self._thread_time = thread_time
        self._reader = _Reader()
        _readers.add(self)

    def forget(self) -> None:
        """Discard all readings and files; a forked child would read those of its parent."""
        self._reader = _Reader()

    def __call__(self, now: float) -> ThreadTimes:
        """Return the times of this thread, from the last reading if that is recent.

        Args:
            now: the monotonic clock, in seconds.
        """
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
