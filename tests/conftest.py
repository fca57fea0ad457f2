"""What all tests share: an injected clock, one way to dispatch, and a check that nothing leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from smartswitch import Switcher

import smartcollect
from smartcollect import calllog, switcher
from smartcollect.clock import Clock

pytest_plugins = ["pytester"]

VIA_GET = hasattr(Switcher, "get")
"""Whether this smartswitch dispatches as ``sw.get("name")``; 0.10 does as ``sw("name")``."""
needs_get = pytest.mark.skipif(not VIA_GET, reason="this smartswitch has no sw[...]")


def dispatch(sw: Any, selector: str) -> Callable[..., Any]:
    """The handler that ``selector`` dispatches."""
    return sw[selector] if VIA_GET else sw(selector)


class FakeTime:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clock = Clock(lambda: self.now, lambda: self.now + 1_000_000.0)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The time that every log made in this test goes by."""
    fake = FakeTime()
    original = calllog.Store
    monkeypatch.setattr(calllog, "Store", lambda size, top, clock: original(size, top, fake.clock))
    return fake


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """Fails a test that leaves a log watching, or handlers being instrumented."""
    before = list(switcher._everywhere), switcher._instrumenting
    yield
    assert (list(switcher._everywhere), switcher._instrumenting) == before


@pytest.fixture
def log() -> Iterator[smartcollect.CallLog]:
    """A log that watches every switcher."""
    with switcher.instrumenting(), smartcollect.collecting() as log:
        yield log
