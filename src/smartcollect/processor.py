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


class _Descriptor:
    """A thread's own file of scheduler statistics, open as long as the thread runs.

    Raises:
        OSError: there is none.
    """

    __slots__ = ("_close", "_is_same", "number")

    def __init__(self) -> None:
        self.number = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC)
        # Bound here: suites replace what is in `os`, and the end of the interpreter removes it.
        fstat, samestat = os.fstat, os.path.samestat
        opened = fstat(self.number)
        self._is_same: Callable[[int], bool] = lambda number: samestat(fstat(number), opened)
        self._close = os.close

    def __del__(self) -> None:
        # An application that closed all descriptors may have opened another file by this number.
        with suppress(OSError, AttributeError):
            if self._is_same(self.number):
                self._close(self.number)


def thread_times(thread_time: Callable[[], float]) -> Callable[[float], ThreadTimes]:
    """Return a function that tells the times of the calling thread, given the time now.

    Args:
        thread_time: the processor time of the calling thread, in seconds.
    """
    # In a closure: suites that exchange the file system replace what a module holds of `os`.
    pread = getattr(os, "pread", None)

    class Reader(_local):
        """The last reading of each thread, and the file that it came from."""

        def __init__(self) -> None:
            self.at = -inf
            self.times = ThreadTimes(0.0, None, get_ident())
            self.descriptor: _Descriptor | None = None
            if pread is not None:
                with suppress(OSError):  # another system, or no room
                    self.descriptor = _Descriptor()

    reader = Reader()

    def forget() -> None:
        # A child has the descriptors of its parent's threads.
        nonlocal reader
        reader = Reader()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)

    def times(now: float) -> ThreadTimes:
        mine = reader
        past = now - mine.at
        if 0.0 <= past < _GOOD_FOR:
            ran, delayed, thread = mine.times
            return ThreadTimes(ran + past, delayed, thread)
        delayed = None
        if pread is not None and mine.descriptor is not None:
            try:
                delayed = int(pread(mine.descriptor.number, 64, 0).split()[1]) / 1e9
            except (OSError, ValueError, IndexError):  # the application closed it
                mine.descriptor = None
        mine.at = now
        mine.times = ThreadTimes(thread_time(), delayed, mine.times.thread)
        return mine.times

    return times
