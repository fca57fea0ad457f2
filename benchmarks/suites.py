"""Rows about whole runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, in_turns, once, row

_HANDLERS = """
import time
from smartswitch import Switcher

api = Switcher("api")


def _work(number):
    end = time.perf_counter() + 20e-6
    while time.perf_counter() < end:
        pass
    return number


for index in range(500):
    exec(f"def handler_{index}(number):\\n    return _work(number)")
    api(globals()[f"handler_{index}"])
"""
_TESTS = """
import pytest
from handlers import api


@pytest.mark.parametrize("number", range(2_000))
def test_calls(number):
    for index in range(100):
        assert api[f"handler_{(number * 5 + index % 5) % 500}"](index) == index
"""


# With compiled code, as users have it.
_ENVIRONMENT = {**os.environ, "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": ""}


def _pytest(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
        check=False,
    )
    if done.returncode not in (0, 5):
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def runs() -> Iterator[Row]:
    """Compare the start of an empty suite, and a suite of 2,000 tests with 200,000 calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        start = {
            "installed": once(lambda: _pytest(folder)),
            "without": once(lambda: _pytest(folder, "-p", "no:smartcollect")),
        }
        taken = in_turns(start, 25)
        measure = "start of pytest: installed ÷ not loaded"
        yield row(measure, taken["installed"], taken["without"], 1.02, "s")
        (folder / "handlers.py").write_text(_HANDLERS, encoding="utf-8")
        (folder / "test_calls.py").write_text(_TESTS, encoding="utf-8")
        for workers in ([], ["-n2"]):
            suite = {
                "profiled": once(lambda more=workers: _pytest(folder, "--smartcollect", *more)),
                "plain": once(lambda more=workers: _pytest(folder, *more)),
            }
            taken = in_turns(suite, 5)
            measure = f"{' '.join(['pytest --smartcollect', *workers])} ÷ plain, 200,000 calls"
            yield row(measure, taken["profiled"], taken["plain"], 1.08, "s")
