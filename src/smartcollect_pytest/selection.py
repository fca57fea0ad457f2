"""Detection of runs of only part of the suite, which do not fail for uncalled handlers."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

_PARTIAL = {
    "lf": "--lf",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "deselect": "--deselect",
    "setuponly": "--setup-only",
}
"""Options that leave out tests, by their internal names, and as written on the command line."""


class Selection:
    """Hooks that count the collected tests that did not run in this process.

    A test did not run if it is no longer among the session's items, or if it started but did not
    finish. This also finds tests that plugins drop without calling ``pytest_deselected``.
    """

    def __init__(self) -> None:
        self._deselected = 0
        self._dropped = 0
        # Items instead of their ids, because plugins may rename items.
        self._collected: list[pytest.Item] = []
        self._begun: set[str] = set()
        self._finished: set[str] = set()

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._collected.append(item)

    @pytest.hookimpl
    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._deselected += len(items)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        self._begun.add(item.nodeid)
        yield

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._finished.add(nodeid)

    def finished(self, session: pytest.Session) -> bool:
        """Return whether every test ran. Always True on the controller of xdist."""
        items = getattr(session, "items", ())
        return self._finished.issuperset(item.nodeid for item in items)

    def counted(self, session: pytest.Session) -> tuple[int, int]:
        """Return the number of deselected tests, and of other collected tests that did not run."""
        items = getattr(session, "items", ())
        kept, names = set(map(id, items)), {item.nodeid for item in items}
        gone = {
            item.nodeid
            for item in self._collected
            if id(item) not in kept and item.nodeid not in names
        }
        return self._deselected, len(gone) + len(self._begun - self._finished)

    def add(self, deselected: int, dropped: int) -> None:
        """Note the result of `counted`, from this process or a worker.

        Each worker collects all tests, so the largest numbers are kept and nothing is added up.
        """
        self._deselected = max(self._deselected, deselected)
        self._dropped = max(self._dropped, dropped)

    def left_out(self, config: pytest.Config) -> str:
        """Return why only part of the suite ran, or ``""`` if all of it ran.

        The suite is all test files below ``testpaths``, or below the root directory without it.
        """
        from smartcollect.text import plural

        if self._deselected:
            return f"{plural(self._deselected, 'test')} deselected"
        if self._dropped:
            return f"{plural(self._dropped, 'collected test')} did not run"
        for option, flag in _PARTIAL.items():
            if config.getoption(option, None):
                return f"{flag} was given"
        given = [str(argument) for argument in config.args]
        single = next((one for one in given if "::" in one), None)
        if single is not None:
            return f"only selected tests ran (such as {single})"
        roots = [Path(config.invocation_params.dir, one).resolve() for one in given]
        for file in _test_files(config):
            if not any(file == root or root in file.parents for root in roots):
                return f"{os.path.relpath(file, config.rootpath)} did not run"
        return ""


def _test_files(config: pytest.Config) -> Iterator[Path]:
    patterns = config.getini("python_files")
    skipped = config.getini("norecursedirs")
    for base in _bases(config):
        if base.is_file():
            yield base
        for folder, folders, files in os.walk(base):
            folders[:] = sorted(
                name
                for name in folders
                if not _fits(name, skipped)
                and name != "__pycache__"
                and not Path(folder, name, "pyvenv.cfg").exists()
            )
            for name in sorted(files):
                if _fits(name, patterns):
                    yield Path(folder, name)


def _bases(config: pytest.Config) -> list[Path]:
    root = config.rootpath.resolve()
    found = [path for pattern in config.getini("testpaths") for path in root.glob(pattern)]
    return found or [root]


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
