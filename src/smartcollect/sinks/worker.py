"""The one thread of a process that writes to sinks."""

from __future__ import annotations

import atexit
import logging
import os
from contextlib import suppress
from multiprocessing import util as multiprocessing
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from ..clock import SYSTEM

_LONGEST_PAUSE = 3600.0  # more than some systems can wait
_PATIENCE = 10.0


class Task(Protocol):
    """Something to do again and again.

    Attributes:
        due: when the next time is, on the monotonic clock.
        closed: whether there is none.
    """

    due: float
    closed: bool

    def work(self) -> None:
        """Do it, and set ``due`` anew."""

    def close(self, patience: float = -1) -> None:
        """Do it for the last time."""


class Worker:
    """Does what is due in a daemon thread that starts with the first task.

    A process that ends closes all tasks; one that was forked goes on with a thread of its own.
    """

    def __init__(self) -> None:
        self._tasks: dict[Task, None] = {}
        self._inbox: SimpleQueue[None] = SimpleQueue()
        self._thread: Thread | None = None
        self._starting = Lock()

    def add(self, task: Task) -> None:
        """Do ``task`` whenever it is due."""
        self._tasks[task] = None
        with self._starting:
            if self._thread is None:
                self._start()
        self.wake()

    def remove(self, task: Task) -> None:
        """Forget ``task``."""
        self._tasks.pop(task, None)

    def wake(self) -> None:
        """Look again what is due. This may be called from a destructor."""
        self._inbox.put(None)

    def _start(self) -> None:
        thread = Thread(target=self._run, args=[self._inbox], name="smartcollect", daemon=True)
        with suppress(RuntimeError):  # the process ends, which closes all tasks
            thread.start()
            self._thread = thread

    def _run(self, inbox: SimpleQueue[None]) -> None:
        while True:
            due = min((task.due for task in list(self._tasks)), default=None)
            with suppress(Empty):
                inbox.get(timeout=None if due is None else _pause(due))
            for task in list(self._tasks):
                if task.due <= SYSTEM.monotonic():
                    try:
                        task.work()
                    except BaseException:  # none may end the thread that all tasks share
                        logging.getLogger("smartcollect").exception("a subscription failed")

    def close_all(self) -> None:
        """Do every task for the last time: the process ends, and does not wait for ever."""
        for task in list(self._tasks):
            task.close(_PATIENCE)

    def after_fork(self) -> None:
        """Go on in the child of a fork, which has no thread but the one that forked."""
        self._inbox = SimpleQueue()
        self._thread = None
        self._starting = Lock()
        # The parent closes what it was closing; nobody here would ever let go of its lock.
        self._tasks = {task: None for task in self._tasks if not task.closed}
        if self._tasks:
            self._start()


def _pause(due: float) -> float:
    return min(max(0.0, due - SYSTEM.monotonic()), _LONGEST_PAUSE)


worker = Worker()
atexit.register(worker.close_all)


def _close_with_process(worker: Worker) -> None:
    # Processes of multiprocessing end without `atexit`.
    multiprocessing.Finalize(None, worker.close_all, exitpriority=10)


_close_with_process(worker)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=worker.after_fork)
    multiprocessing.register_after_fork(worker, _close_with_process)
