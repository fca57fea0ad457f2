"""Fixtures of all tests: an injected clock, a log, and a check for leaked watching."""

from __future__ import annotations

from collections.abc import Iterator

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
