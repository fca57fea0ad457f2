"""Background threads for repeated tasks, such as writing to a sink."""

from __future__ import annotations

import atexit
import logging
from contextlib import suppress
from multiprocessing import util as multiprocessing
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol

from ..clock import SYSTEM
from ..forks import this_process

_LONGEST_PAUSE = 3600.0  # some systems cannot wait much longer
_PATIENCE = 10.0
_log = logging.getLogger("smartcollect")


class Task(Protocol):
    """A task that is repeated.

    Attributes:
        due: the next time to call ``work``, on the monotonic clock.
    """

    due: float

    def work(self) -> None:
        """Do the task and update ``due``."""

    def close(self) -> None:
        """Do the task for the last time."""

    def abandon(self) -> None:
        """Report the loss, because the process ends before ``work`` or ``close`` has finished."""


class _Thread:
    """A thread that does one task whenever it is due.

    Attributes:
        refusal: the error if the thread could not start: the process ends, or has too many threads.
        ended: set once the thread has finished.
    """

    def __init__(self, task: Task) -> None:
        # `leave` clears it, so that only a thread in the middle of its work keeps the task alive.
        self._task: Task | None = task
        self._closing = False
        self._inbox: SimpleQueue[None] = SimpleQueue()
        self.refusal: RuntimeError | None = None
        self.ended = Event()

    def start(self) -> None:
        """Start the thread, or note why it cannot start."""
        thread = Thread(target=self.run, name="smartcollect", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.refusal = error

    def wake(self) -> None:
        """Let the thread check ``due`` again. This may be called from a destructor."""
        self._inbox.put(None)

    def close(self) -> None:
        """Let the thread do the task for the last time."""
        self._closing = True
        self.wake()

    def leave(self) -> None:
        """Stop doing the task."""
        self._task = None
        self.wake()

    def run(self) -> None:
        """Do the task whenever it is due until it is closed. This runs in the thread."""
        while (pause := self._turn()) is not None:
            with suppress(Empty):
                self._inbox.get(timeout=pause)
        self.ended.set()

    def _turn(self) -> float | None:
        """Do the task if it is due. Return seconds to wait, or ``None`` after the last time."""
        task = self._task
        if task is None:
            return None
        try:
            if self._closing:
                self._task = None
                task.close()
            elif task.due <= SYSTEM.monotonic():
                task.work()
        except BaseException:  # otherwise it would go unnoticed
            _log.exception("a subscription failed")
        return min(max(0.0, task.due - SYSTEM.monotonic()), _LONGEST_PAUSE)


class Worker:
    """Runs each task in a separate daemon thread, so that no task waits for another.

    At the end of the process all tasks are closed. A forked child has no tasks until they are added
    there.
    """

    def __init__(self) -> None:
        self._process = this_process()
        self._tasks: dict[Task, _Thread] = {}
        self._ending = False

    def _here(self) -> dict[Task, _Thread]:
        """Return the tasks of this process. A forked child has none of its parent's threads."""
        if self._process is not this_process():
            self._process, self._tasks, self._ending = this_process(), {}, False
        return self._tasks

    def add(self, task: Task) -> None:
        """Start to run ``task`` whenever it is due, or wake it if it is already running."""
        tasks = self._here()
        if task in tasks:
            tasks[task].wake()
        else:
            thread = tasks[task] = _Thread(task)
            thread.start()
            if thread.refusal is not None and not self._ending:
                message = "cannot start a thread for a sink; its calls wait until the end: %s"
                _log.warning(message, thread.refusal)

    def remove(self, task: Task) -> None:
        """Forget ``task``."""
        thread = self._here().pop(task, None)
        if thread is not None:
            thread.leave()

    def wake(self, task: Task) -> None:
        """Let the thread of ``task`` check ``due`` again. This may be called from a destructor."""
        thread = self._here().get(task)
        if thread is not None:
            thread.wake()

    def close_all(self) -> None:
        """Close all tasks at the same time, because the process ends, and wait up to 10 seconds."""
        until = SYSTEM.monotonic() + _PATIENCE
        tasks = dict(self._here())
        self._ending = True
        try:
            for thread in tasks.values():
                thread.close()
            for thread in tasks.values():
                if thread.refusal is not None:
                    thread.run()
            for thread in tasks.values():
                thread.ended.wait(max(0.0, until - SYSTEM.monotonic()))
        finally:  # the wait may be interrupted
            for task, thread in tasks.items():
                if not thread.ended.is_set():
                    task.abandon()
                    self.remove(task)


worker = Worker()
atexit.register(worker.close_all)


def _close_with_process(worker: Worker) -> None:
    # Processes of multiprocessing do not run `atexit`, and start without registered finalizers.
    multiprocessing.Finalize(None, worker.close_all, exitpriority=10)


_close_with_process(worker)
multiprocessing.register_after_fork(worker, _close_with_process)
