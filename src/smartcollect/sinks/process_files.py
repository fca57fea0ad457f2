"""A folder with one file of totals for each process, and the sum over all processes."""

from __future__ import annotations

import logging
import os
import re
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    _CAN_LOCK = False
else:
    _CAN_LOCK = True

from ..clock import SYSTEM
from ..forks import this_process
from ..names import HandlerName
from ..recording.recorder import Recorder
from ..reports.writing import write
from ..storage.tally import Tally
from .batch import Batch
from .subscription import Subscription
from .totals import HandlerTotals, Log, Reading, Totals, merged, recorder_of, sample_rates

_PROCESS = re.compile(r"\d+-[0-9a-f]{32}\.json")
_ENDED = "ended.json"
_LEFT = re.compile(rf"\.(?:{_PROCESS.pattern}|{re.escape(_ENDED)})\.\w+")
"""Temporary files (see `reports.writing.temporary_name`) of processes killed while writing."""
_LONG_AGO = 3600.0  # seconds; no write takes that long
_LOCK = ".lock"
_READINGS = 20
_log = logging.getLogger("smartcollect")

_written: weakref.WeakKeyDictionary[Recorder, dict[Path, Subscription]] = (
    weakref.WeakKeyDictionary()
)

Identity = tuple[int, int, int]
"""Inode, modification time and size, which change when a file is replaced."""


def write_totals(
    log: Log, folder: str | os.PathLike[str], every: float | str = "5s"
) -> Subscription:
    """Write the totals of this process, counted from now on, to a file in ``folder``.

    Each process has its own file, also a forked process. Totals only grow: they stay after the end
    of the process, and ``clear()`` and ``drain()`` do not reset them. If you call this again with
    the same log and folder, also after a fork, it returns the existing subscription.

    Args:
        log: a `CallLog` or a `CollectPlugin`.
        folder: the folder, the same for all processes; it is created if missing.
        every: the time between two writes while there are calls: seconds, or text such as
            ``"5s"``. The file is written once more when the process ends.

    Returns:
        The `Subscription`, whose ``close()`` stops the writing earlier.

    Raises:
        TypeError: ``log`` is not a log, or ``folder`` is not a path.
        ValueError: ``every`` is not a duration above zero.
        OSError: the folder or the file cannot be written.

    Example:
        ``write_totals(api.collect, "/run/shop/metrics")``
    """
    path, recorder = _absolute(folder), recorder_of(log)
    there = _written.setdefault(recorder, {})
    if path in there and not there[path].closed:
        return there[path]
    sink = _ProcessFile(path, recorder)
    subscription = there[path] = log.subscribe(sink, every, calls="none")
    try:
        sink.save()
    except OSError:
        subscription.close()
        raise
    return subscription


class _ProcessFile:
    """A sink that writes the totals of this process to a file."""

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self._folder = folder
        # Weak: the subscription closes when the log is gone, so its sink must not keep the log.
        self._recorder = weakref.ref(recorder)
        self._begin(recorder.store.dropped)

    def _begin(self, dropped_before: int = 0) -> None:
        self._process = this_process()
        # Process ids are reused; the random part is not.
        self._path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex}.json"
        self._since = SYSTEM.wall()
        self._tally = Tally()
        self._counted: Batch | None = None
        self._dropped_before = dropped_before
        self._dropped = 0
        self._rates: Mapping[HandlerName, float] = {}
        _remove_left(self._folder)

    def write(self, batch: Batch) -> None:
        if self._process is not this_process():
            self._begin()
        # A batch comes again if its file could not be written.
        if batch is not self._counted:
            for name, stats in batch.profile.handlers.items():
                self._tally.stats_of(name).merge(stats)
            self._counted = batch
        self.save()

    def save(self, ended: bool = False) -> None:
        """Write the file.

        Args:
            ended: true for the last write of the process.
        """
        recorder, tally = self._recorder(), self._tally
        if recorder is not None:
            for name in recorder.store.names():
                tally.stats_of(name)
            self._dropped = recorder.store.dropped - self._dropped_before
            self._rates = sample_rates(recorder, tally.handlers)
        handlers = {name: HandlerTotals.of(stats) for name, stats in tally.handlers.items()}
        rates = {name: self._rates.get(name, 1.0) for name in handlers}
        totals = Totals(self._since, SYSTEM.wall(), handlers, rates, self._dropped, ended)
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self._path, totals.to_text())

    def close(self) -> None:
        if self._process is this_process():
            self.save(ended=True)
            _merge_ended(self._folder)


class Folder:
    """The folder of all process files, including the sum of the processes that ended.

    Args:
        folder: its path; it is created if missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = _absolute(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, tuple[Identity | None, Totals]] = {}
        self._reported: dict[str, Identity | None] = {}

    def read(self) -> Reading:
        """Return the sum of all processes and the number of unreadable files.

        An unreadable file counts with the totals of its last successful reading.
        """
        ended = self._folder / _ENDED
        for _ in range(_READINGS):
            before = _identity(ended)
            found, unreadable = self._files()
            # The file of an ended process is removed once the sum file includes it. So both
            # readings are consistent only if the sum file was not replaced in between.
            if _identity(ended) == before:
                break
        return Reading([merged(found)], unreadable)

    def _files(self) -> tuple[list[Totals], int]:
        known, unreadable = {}, 0
        try:
            names = [*_processes(self._folder), _ENDED]
        except OSError as error:
            self._report(self._folder, None, error)
            names, unreadable = list(self._known), 1
        for name in names:
            path, last = self._folder / name, self._known.get(name)
            identity = _identity(path)
            if last is None or last[0] != identity:
                try:
                    last = identity, _read(path)
                except FileNotFoundError:
                    continue
                except (OSError, ValueError) as error:
                    self._report(path, identity, error)
                    unreadable += 1
            if last is not None:
                known[name] = last
        self._known = known
        included = known[_ENDED][1].includes if _ENDED in known else ()
        return [one for name, (_, one) in known.items() if name not in included], unreadable

    def _report(self, path: Path, identity: Identity | None, error: Exception) -> None:
        if self._reported.get(path.name, ()) != identity:
            self._reported[path.name] = identity
            _log.warning("the totals in %s cannot be read: %s", path, error)


def _absolute(folder: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.abspath(os.fsdecode(folder)))
    except TypeError:
        raise TypeError(f"folder must be a path, not {folder!r}") from None


def _merge_ended(folder: Path) -> None:
    """Merge the files of ended processes into the sum file, unless another process is doing so.

    The sum of the folder stays the same after each step: the sum file names the files that it
    includes, and these are removed afterwards.
    """
    with _locked(folder) as is_locked:
        if not is_locked:
            return  # the next process that ends does it
        sum_path = folder / _ENDED
        try:
            before = [_read(sum_path)] if sum_path.exists() else []
        except ValueError as error:
            _log.warning("the totals in %s cannot be read: %s", sum_path, error)
            return  # the files stay, so nothing is lost
        ended, left = [], []
        for path, totals in _readable(folder / name for name in _processes(folder)):
            if any(path.name in one.includes for one in before):
                left.append(path)
            elif totals.ended:
                ended.append((path, totals))
        paths = [*left, *(path for path, _ in ended)]
        if paths:
            total = merged([*before, *(totals for _, totals in ended)])
            names = tuple(path.name for path in paths)
            write(sum_path, replace(total, ended=True, includes=names).to_text())
            for path in paths:
                path.unlink(missing_ok=True)


def _remove_left(folder: Path) -> None:
    """Remove temporary files of processes that were killed while writing."""
    with suppress(OSError):  # remaining files are harmless
        for name in filter(_LEFT.fullmatch, os.listdir(folder)):
            left = folder / name
            if SYSTEM.wall() - left.stat().st_mtime > _LONG_AGO:
                left.unlink(missing_ok=True)


def _readable(paths: Iterable[Path]) -> Iterator[tuple[Path, Totals]]:
    for path in paths:
        try:
            yield path, _read(path)
        except (OSError, ValueError):
            continue  # `Folder.read` reports it


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Try to lock the folder without waiting, and yield whether this process has the lock."""
    if not _CAN_LOCK:
        yield False
        return
    with open(folder / _LOCK, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            # Closing the file is not enough: a process forked meanwhile has it open too.
            fcntl.flock(file, fcntl.LOCK_UN)


def _processes(folder: Path) -> list[str]:
    """Return the names of the process files."""
    return sorted(filter(_PROCESS.fullmatch, os.listdir(folder)))


def _read(path: Path) -> Totals:
    return Totals.from_text(path.read_bytes())


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
