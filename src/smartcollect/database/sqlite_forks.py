"""Keeps forks and open SQLite connections apart.

SQLite remembers in the memory of a process which locks it has on a file. A child that is forked
meanwhile believes that it has them too, and waits for ever for locks that nobody releases; and when
its parent closes its last connection, it deletes the write-ahead log that the child writes to. See
"Carrying an open database connection across a fork" in https://www.sqlite.org/howtocorrupt.html.
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
    """A process cannot use SQLite: its parent had a database open when it was forked."""


class Connections:
    """Knows the open SQLite connections of this process, so that no fork takes one along.

    A fork waits for connections, and who connects waits for a fork. Neither waits for long, since
    it may hold what the other one needs: a fork that waited in vain goes on, and its child refuses
    to connect.
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
        """Let no fork happen in this block, which opens connections and closes them.

        Args:
            name: what to call the database in the error.

        Raises:
            ForkedWhileOpen: this process cannot use SQLite.
        """
        if self._spoilt:
            raise ForkedWhileOpen(
                f"{name} cannot be used in this process: it was forked while its parent had a "
                f"SQLite database open, and not closed within {_PATIENCE:g} s. Start the process "
                "in another way, such as multiprocessing's 'spawn', or use PostgreSQL"
            )
        thread = get_ident()
        with self._changed:
            if not self._open[thread]:  # otherwise the fork waits for this thread
                self._changed.wait_for(lambda: not self._forks, 2 * _PATIENCE)
            self._open[thread] += 1
        try:
            yield
        finally:
            with self._changed:
                self._open -= Counter([thread])  # which forgets threads that have none left
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until no other thread has a connection open, and keep new ones from being opened."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._open.keys() <= {get_ident()}, _PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Let connections be opened again."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin anew, and for ever without connections where one came along."""
        self._begin(self._spoilt or bool(self._open))


connections = Connections()
at_fork(connections.before_fork, connections.after_fork_in_parent, connections.after_fork_in_child)
