"""Fixtures that write reports and run the command, in this process or in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from made_reports import profile_of

from smartcollect import Profile
from smartcollect.reports.report_file import report


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes the report of `profile_of` to a file."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, calls: Mapping[str, list[float]] | Profile, **told: Any) -> Path:
        profile = calls if isinstance(calls, Profile) else profile_of(calls, **told)
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(report(profile)), "utf-8")
        return path

    return write


@pytest.fixture
def smartcollect():
    """Return a function that runs the command in this process.

    Its result has exit_code, stdout and stderr.
    """
    testing = pytest.importorskip("click.testing", reason="comes with the extra command")
    from smartcollect.command import smartcollect

    # Before click 8.2, the default was to mix stdout and stderr.
    apart = {} if version("click") >= "8.2" else {"mix_stderr": False}

    def run(*words: object, env: Mapping[str, str] | None = None) -> Any:
        result = testing.CliRunner(env=env, **apart).invoke(smartcollect, list(map(str, words)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return run


@pytest.fixture
def process():
    """Return a function that runs the command in a new process."""
    pytest.importorskip("click", reason="comes with the extra command")

    def run(*words: object, **given: Any) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **given.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-m", "smartcollect", *map(str, words)],
            capture_output=True,
            encoding="utf-8",
            env=env,
            **given,
        )

    return run
