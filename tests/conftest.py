"""Fixtures of all tests: an injected clock, a log, and a check for leaked watching."""

from __future__ import annotations

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
        help="Of the tests that run pytest in several ways, run these. Those in "
        "tests/pytest_plugin that run it in one way belong to plain.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that say where a test has to run."""
    for text in (
        "new_process: run pytest in a process that has not imported anything.",
        "once: depends neither on Python nor on versions of packages; one environment runs it.",
        "twice: depends on how calls are recorded, which differs between 3.11 and later Pythons.",
    ):
        config.addinivalue_line("markers", text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ways = {"", *config.getoption("--ways").split(",")}
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (kept if _way(item) in ways else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _way(item: pytest.Item) -> str:
    """Return how a test runs pytest, or ``""`` for tests that are always run."""
    callspec = getattr(item, "callspec", None)
    run: str | None = None if callspec is None else callspec.params.get("run")
    if "pytest_plugin" in item.path.parts:
        return run or "plain"
    return run or "" if "beside" in item.path.parts else ""


@pytest.fixture(scope="session")
def fork_server():
    """The server that starts pytest quickly, where there can be one."""
    if not forkserver.is_possible():
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
