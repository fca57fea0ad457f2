"""Whether a run is of the whole suite: what did not run cannot be missed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest


def left_out(config: pytest.Config, deselected: int) -> str:
    """Why the run is of a part of the suite only; ``""`` where it is of all of it.

    The suite is what lies below ``testpaths``, or else below the root directory.

    Args:
        config: of the run.
        deselected: how many tests were deselected, by ``-k``, ``-m`` or a plugin.
    """
    from smartcollect.text import plural

    if deselected:
        return f"{plural(deselected, 'test')} deselected"
    for option in ("lf", "ignore", "ignore_glob", "deselect"):
        if config.getoption(option, None):
            return f"--{option.replace('_', '-')} is given"
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
