"""What all tests share: an injected clock, one way to dispatch, and a check that nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from support import FakeTime

import smartcollect
from smartcollect.recording import recorder
from smartcollect.sources import switchers

pytest_plugins = ["pytester"]

# How long an example takes says something of the machine.
hypothesis.settings.register_profile("smartcollect", deadline=None)
hypothesis.settings.load_profile("smartcollect")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The time that every log made in this test goes by."""
    fake = FakeTime()
    original = recorder.Store
    monkeypatch.setattr(recorder, "Store", lambda size, top, clock: original(size, top, fake.clock))
    return fake


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """Fails a test that leaves a log watching."""
    before = list(switchers._everywhere)
    yield
    assert list(switchers._everywhere) == before


@pytest.fixture
def log() -> Iterator[smartcollect.CallLog]:
    """A log that watches every switcher."""
    with smartcollect.collecting() as log:
        yield log
