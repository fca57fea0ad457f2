"""Protection against forks while SQLite connections are open.

SQLite keeps track of file locks in the memory of the process. A child that is forked meanwhile
inherits this state and waits forever for locks that are never released. And when the parent closes
its last connection, SQLite deletes the write-ahead log that the child writes to. See "Carrying an
open database connection across a fork" in https://www.sqlite.org/howtocorrupt.html.
"""

from __future__ import annotations

from _thread import get_ident
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from ..forks import at_fork

_PATIENCE = 1.0  # seconds that a fork waits for connections


class ForkedWhileOpen(OSError):
    """SQLite is unusable in this process: its parent had a database open during the fork."""


class Connections:
    """The open SQLite connections of this process, which forks must not inherit.

    A fork waits until connections are closed, and new connections wait until the fork is done. Both
    waits are short, because each side may hold a lock that the other needs. If a connection stays
    open, the fork goes ahead, and its child refuses to connect.
    """

    def __init__(self) -> None:
        self._begin(spoilt=False)

    def _begin(self, spoilt: bool) -> None:
        self._spoilt = spoilt
        self._changed = Condition()
        self._open: Counter[int] = Counter()  # by thread
        self._forks = 0

    @contextmanager
    def opening(self, name: object) -> Iterator[None]:
        """Hold back forks during this block, which opens and closes connections.

        Args:
            name: the name of the database in the error.

        Raises:
            ForkedWhileOpen: this process cannot use SQLite.
        """
        if self._spoilt:
            raise ForkedWhileOpen(
                f"{name} cannot be used in this process: it was forked while its parent had a "
                f"SQLite database open and did not close it within {_PATIENCE:g} s; start the "
                "process without fork, such as with multiprocessing's 'spawn', or use PostgreSQL"
            )
        thread = get_ident()
        with self._changed:
            if not self._open[thread]:  # otherwise a fork is already waiting for this thread
                self._changed.wait_for(lambda: not self._forks, 2 * _PATIENCE)
            self._open[thread] += 1
        try:
            yield
        finally:
            with self._changed:
                self._open -= Counter([thread])  # also removes counts of zero
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Hold back new connections, and wait until no other thread has a connection open."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._open.keys() <= {get_ident()}, _PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Allow connections again."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Start with no connections; refuse them if the child inherited an open connection."""
        self._begin(self._spoilt or bool(self._open))


connections = Connections()
at_fork(connections.before_fork, connections.after_fork_in_parent, connections.after_fork_in_child)
