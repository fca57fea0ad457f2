"""Fixtures of all tests: an injected clock, a log, and a check for leaked watching."""

from __future__ import annotations

import os
from collections.abc import Iterator

import forkserver
import hypothesis
import pytest
from support import FakeTime

import smartcollect
from smartcollect.recording import recorder
from smartcollect.sources import switchers

pytest_plugins = ["pytester"]

# The time that an example takes depends on the machine.
hypothesis.settings.register_profile("smartcollect", deadline=None)
hypothesis.settings.load_profile("smartcollect")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ways",
        default="plain,n0,n2",
        help="Of the tests in tests/pytest_plugin, run those that run pytest in these ways.",
    )


def pytest_configure(config: pytest.Config) -> None:
    for text in (
        "new_process: run pytest in a process that has not imported anything.",
        "once: depends neither on Python nor on versions of packages; one environment runs it.",
    ):
        config.addinivalue_line("markers", text)


@pytest.fixture(scope="session")
def fork_server():
    """The server that starts pytest quickly, where there can be one."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    with forkserver.serving() as server:
        yield server


@pytest.fixture
def quick_start(request, pytester, fork_server, monkeypatch):
    """Let `pytester` fork the processes of pytest, except in tests marked ``new_process``."""
    start = pytester.popen

    def popen(command, stdout, stderr, **options):
        forked = fork_server.popen(command, stdout=stdout, stderr=stderr)
        return forked or start(command, stdout=stdout, stderr=stderr, **options)

    if fork_server and not request.node.get_closest_marker("new_process"):
        monkeypatch.setattr(pytester, "popen", popen)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The fake time of all logs that this test makes."""
    fake = FakeTime()
    original = recorder.Store
    monkeypatch.setattr(recorder, "Store", lambda size, top, clock: original(size, top, fake.clock))
    return fake


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """Fail a test that leaves a log watching."""
    before = list(switchers._everywhere)
    yield
    assert list(switchers._everywhere) == before


@pytest.fixture
def log() -> Iterator[smartcollect.CallLog]:
    """Return a log that watches every switcher."""
    with smartcollect.collecting() as log:
        yield log
