"""Whether a run is of the whole suite: what did not run cannot be missed."""

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
"""The options that leave something out, as pytest calls them inside and on the command line."""


class Selection:
    """The hooks that tell which of the tests that were collected ran in this process.

    A test that is not among the items any more, or whose run nobody saw the end of, did not run:
    there are plugins that drop tests and tell nobody.
    """

    def __init__(self) -> None:
        self._deselected = 0
        self._dropped = 0
        # Items and not their ids only: a plugin may rename them.
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
        """Whether each test that was to run did; where xdist distributes them it knows that."""
        items = getattr(session, "items", ())
        return self._finished.issuperset(item.nodeid for item in items)

    def counted(self, session: pytest.Session) -> tuple[int, int]:
        """Return how many tests were deselected, and how many were collected and did not run."""
        items = getattr(session, "items", ())
        kept, names = set(map(id, items)), {item.nodeid for item in items}
        gone = {
            item.nodeid
            for item in self._collected
            if id(item) not in kept and item.nodeid not in names
        }
        return self._deselected, len(gone) + len(self._begun - self._finished)

    def told(self, deselected: int, dropped: int) -> None:
        """Takes what `counted` returned, here or on a worker: each has collected all tests."""
        self._deselected = max(self._deselected, deselected)
        self._dropped = max(self._dropped, dropped)

    def left_out(self, config: pytest.Config) -> str:
        """Why the run is of a part of the suite only; ``""`` where it is of all of it.

        The suite is what lies below ``testpaths``, or else below the root directory.
        """
        from smartcollect.text import plural

        if self._deselected:
            return f"{plural(self._deselected, 'test')} deselected"
        if self._dropped:
            return f"{plural(self._dropped, 'collected test')} did not run"
        for option, flag in _PARTIAL.items():
            if config.getoption(option, None):
                return f"{flag} is given"
        given = [str(argument) for argument in config.args]
        single = next((one for one in given if "::" in one), None)
        if single is not None:
            return f"only {single} and the like is run"
        roots = [Path(config.invocation_params.dir, one).resolve() for one in given]
        for file in _test_files(config):
            if not any(file == root or root in file.parents for root in roots):
                return f"{os.path.relpath(file, config.rootpath)} is not run"
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
