"""Limits on the cost of a recorded call, counted and not timed, so that load has no effect."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from smartswitch import Switcher
from ticks import EVENTS, ticking

from smartcollect import collecting
from smartcollect.storage.store import FOLD_AT

pytestmark = pytest.mark.usefixtures("no_collection")


def instructions(function: Callable[[], Any]) -> int:
    """Return the number of bytecode instructions of ``function``, including all Python callees."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def calls_of_the_recorder(function: Callable[[], Any]) -> int:
    """Return the number of calls that the recorder makes during ``function()``."""
    count = 0

    def tick(value: Any = None) -> Any:
        nonlocal count
        count += 1
        return value

    replaced = list(ticking(tick))
    try:
        function()
    finally:
        for one, code in replaced:
            one.__code__ = code
    return count


def a_call(call: Callable[[], Any]) -> float:
    """Return the mean number of instructions of a call, including folding."""

    def many() -> None:
        for _ in range(FOLD_AT):
            call()

    # Warm up: traced calls are slower, so the first ones would all be among the slowest.
    instructions(many)
    return instructions(many) / FOLD_AT


@pytest.fixture
def handler(time):
    # The fake clock, because with real time any call may be the slowest yet, which costs more.
    api = Switcher("cost")

    @api
    def handler(number, more=0):
        return number

    return api, handler


# A tenth above the measurement on CPython 3.11.
@pytest.mark.parametrize(
    ("call", "limit"),
    [
        (lambda handler: handler(1_000), 280),
        (lambda handler: handler(1_000, more=1), 280),
    ],
    ids=["positional", "keyword"],
)
@pytest.mark.skipif(EVENTS, reason="nothing can trace a callback")
def test_a_recorded_call(handler, call, limit):
    api, function = handler
    bare = a_call(lambda: call(function))
    with collecting(api):
        assert 50 < a_call(lambda: call(function)) - bare <= limit


@pytest.mark.skipif(EVENTS, reason="nothing can trace a callback")
def test_a_call_that_is_not_sampled(handler):
    api, function = handler
    bare = a_call(lambda: function(1_000))
    with collecting(api, sample_rate=0.0):
        assert 0 < a_call(lambda: function(1_000)) - bare <= 90


def test_a_handler_that_is_no_longer_watched(handler):
    api, function = handler
    bare = a_call(lambda: function(1_000))
    with collecting(api):
        function(1_000)
    assert a_call(lambda: function(1_000)) == bare


@pytest.mark.skipif(not EVENTS, reason="counted by instructions")
@pytest.mark.parametrize(("share", "limit"), [(1.0, 25), (0.0, 9)])
def test_a_call_recorded_through_events(handler, share, limit):
    api, function = handler
    with collecting(api, sample_rate=share):
        function(1_000)
        assert 4 < calls_of_the_recorder(lambda: function(1_000)) <= limit
