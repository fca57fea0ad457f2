"""Does tasks in threads of their own, such as to write to a sink."""

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

_LONGEST_PAUSE = 3600.0  # more than some systems can wait
_PATIENCE = 10.0
_log = logging.getLogger("smartcollect")


class Task(Protocol):
    """Something to do again and again.

    Attributes:
        due: when the next time is, on the monotonic clock.
    """

    due: float

    def work(self) -> None:
        """Do it, and set ``due`` anew."""

    def close(self) -> None:
        """Do it for the last time."""

    def abandon(self) -> None:
        """Tell what is lost: the process ends, and ``work`` or ``close`` did not in time."""


class _Thread:
    """Does one task whenever it is due.

    Attributes:
        refusal: why there is no thread: the process ends, or has as many as it may.
        ended: is set once the thread does nothing more.
    """

    def __init__(self, task: Task) -> None:
        # Only a thread that works holds the task, which others may let go meanwhile.
        self._task: Task | None = task
        self._closing = False
        self._inbox: SimpleQueue[None] = SimpleQueue()
        self.refusal: RuntimeError | None = None
        self.ended = Event()

    def start(self) -> None:
        """Begin to do it."""
        thread = Thread(target=self.run, name="smartcollect", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.refusal = error

    def wake(self) -> None:
        """Look again what is due. This may be called from a destructor."""
        self._inbox.put(None)

    def close(self) -> None:
        """Do the task for the last time."""
        self._closing = True
        self.wake()

    def leave(self) -> None:
        """Do the task no more."""
        self._task = None
        self.wake()

    def run(self) -> None:
        """Do the task until the last time; the thread calls this."""
        while (pause := self._turn()) is not None:
            with suppress(Empty):
                self._inbox.get(timeout=pause)
        self.ended.set()

    def _turn(self) -> float | None:
        """Do the task if it is due; return how long to wait, or nothing after the last time."""
        task = self._task
        if task is None:
            return None
        try:
            if self._closing:
                self._task = None
                task.close()
            elif task.due <= SYSTEM.monotonic():
                task.work()
        except BaseException:  # nobody else would tell of it
            _log.exception("a subscription failed")
        return min(max(0.0, task.due - SYSTEM.monotonic()), _LONGEST_PAUSE)


class Worker:
    """Does each task in a daemon thread of its own: none waits for another one.

    A process that ends closes all tasks. The child of a fork has none until they are added there.
    """

    def __init__(self) -> None:
        self._process = this_process()
        self._tasks: dict[Task, _Thread] = {}
        self._ending = False

    def _here(self) -> dict[Task, _Thread]:
        """Return the tasks of this process: the child of a fork has no thread of its parent."""
        if self._process is not this_process():
            self._process, self._tasks, self._ending = this_process(), {}, False
        return self._tasks

    def add(self, task: Task) -> None:
        """Do ``task`` whenever it is due, from now on or as before."""
        tasks = self._here()
        if task in tasks:
            tasks[task].wake()
        else:
            thread = tasks[task] = _Thread(task)
            thread.start()
            if thread.refusal is not None and not self._ending:
                message = "calls wait for their sink until the process ends: %s"
                _log.warning(message, thread.refusal)

    def remove(self, task: Task) -> None:
        """Forget ``task``."""
        thread = self._here().pop(task, None)
        if thread is not None:
            thread.leave()

    def wake(self, task: Task) -> None:
        """Look again when ``task`` is due. This may be called from a destructor."""
        thread = self._here().get(task)
        if thread is not None:
            thread.wake()

    def close_all(self) -> None:
        """Do every task for the last time, all at once: the process ends, and waits 10 seconds."""
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
        finally:  # whoever waits may interrupt that
            for task, thread in tasks.items():
                if not thread.ended.is_set():
                    task.abandon()
                    self.remove(task)


worker = Worker()
atexit.register(worker.close_all)


def _close_with_process(worker: Worker) -> None:
    # Processes of multiprocessing end without `atexit`, and begin without what was registered.
    multiprocessing.Finalize(None, worker.close_all, exitpriority=10)


_close_with_process(worker)
multiprocessing.register_after_fork(worker, _close_with_process)
