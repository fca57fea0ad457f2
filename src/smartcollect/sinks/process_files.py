"""A folder in which each process keeps what its calls came to, and the sum of all of them."""

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
"""Of `reports.writing.temporary_name`, where a process was killed while it wrote."""
_LONG_AGO = 3600.0  # seconds; no write takes so long
_LOCK = ".lock"
_READINGS = 20
_log = logging.getLogger("smartcollect")

_written: weakref.WeakKeyDictionary[Recorder, dict[Path, Subscription]] = (
    weakref.WeakKeyDictionary()
)

Identity = tuple[int, int, int]
"""What differs once a file was replaced."""


def write_totals(
    log: Log, folder: str | os.PathLike[str], every: float | str = "5s"
) -> Subscription:
    """Keep what this process counts from now on in a file in ``folder``, a file for each process.

    A process that was forked goes on with a file of its own. What a process counted stays after
    its end, and so it does after ``clear()`` and ``drain()``: these totals only grow. Called again
    with the same log and folder, perhaps after a fork, it returns the subscription that is there.

    Args:
        log: a `CallLog` or a `CollectPlugin`.
        folder: the same for all processes; it is made if it is not there.
        every: how often the file is written, while there are calls: seconds, or text such as
            ``"5s"``. It is written once more when the process ends.

    Returns:
        The `Subscription`, whose ``close()`` ends it sooner.

    Raises:
        TypeError: ``log`` is not a log, or ``folder`` not a path.
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
    """A sink that keeps the totals of this process in a file."""

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self._folder = folder
        # The subscription is closed when the log is gone: nobody here may keep it.
        self._recorder = weakref.ref(recorder)
        self._begin(recorder.store.dropped)

    def _begin(self, dropped_before: int = 0) -> None:
        self._process = this_process()
        # The number of a process comes back, the rest does not.
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
        # A batch whose file could not be written comes again.
        if batch is not self._counted:
            for name, stats in batch.profile.handlers.items():
                self._tally.stats_of(name).merge(stats)
            self._counted = batch
        self.save()

    def save(self, ended: bool = False) -> None:
        """Write the file.

        Args:
            ended: whether it is for the last time.
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
    """Adds up the files of all processes, those that ended included.

    Args:
        folder: where they are; it is made if it is not there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = _absolute(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, tuple[Identity | None, Totals]] = {}
        self._reported: dict[str, Identity | None] = {}

    def read(self) -> Reading:
        """Return the sum, and how many files could not be read.

        Of a file that could be read before, what it held then counts.
        """
        ended = self._folder / _ENDED
        for _ in range(_READINGS):
            before = _identity(ended)
            found, unreadable = self._files()
            # Files of processes are removed once the sum of those that ended has them: the two
            # belong together where that was not replaced meanwhile.
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
        raise TypeError(f"folder: {folder!r} is not a path") from None


def _merge_ended(folder: Path) -> None:
    """Put the totals of the processes that ended into one file, unless somebody does so now.

    Each step leaves a folder that adds up to the same: the new file names those that are in it,
    and these are removed afterwards.
    """
    with _locked(folder) as is_locked:
        if not is_locked:
            return  # the next process that ends does it
        sum_path = folder / _ENDED
        try:
            before = [_read(sum_path)] if sum_path.exists() else []
        except ValueError as error:
            _log.warning("the totals in %s cannot be read: %s", sum_path, error)
            return  # nothing is lost: the files stay
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
    """Remove what processes left that were killed while they wrote."""
    with suppress(OSError):  # what is left does no harm
        for name in filter(_LEFT.fullmatch, os.listdir(folder)):
            left = folder / name
            if SYSTEM.wall() - left.stat().st_mtime > _LONG_AGO:
                left.unlink(missing_ok=True)


def _readable(paths: Iterable[Path]) -> Iterator[tuple[Path, Totals]]:
    for path in paths:
        try:
            yield path, _read(path)
        except (OSError, ValueError):
            continue  # who is scraped reports it


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Tell whether this process is the only one that is here, without waiting."""
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
            # Not by closing the file: a process that was forked meanwhile has it open too.
            fcntl.flock(file, fcntl.LOCK_UN)


def _processes(folder: Path) -> list[str]:
    """Return the names of the files of processes."""
    return sorted(filter(_PROCESS.fullmatch, os.listdir(folder)))


def _read(path: Path) -> Totals:
    return Totals.from_text(path.read_bytes())


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
