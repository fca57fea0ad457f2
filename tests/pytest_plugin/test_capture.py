"""What rides on the reports: enough for the whole run, and no more than that."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import HandlerName, Profile, merge
from smartcollect.profiles.parts import SLOWEST
from smartcollect_pytest.capture import Capture


@pytest.fixture
def capture(time):
    capture = Capture()
    capture.begin()
    yield capture
    capture.end()


@pytest.fixture
def sw(time):
    sw = Switcher("api")

    @sw
    def work(seconds):
        time.sleep(seconds)

    @sw
    def idle(): ...

    sw.work = work
    return sw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 50), max_size=40), max_size=12))
def test_the_slowest_calls_of_the_run_are_among_those_of_the_phases(sw, time, phases):
    capture = Capture()
    capture.begin()
    profiles = []
    for calls in phases:
        capture.discard()
        for seconds in calls:
            sw.work(float(seconds))
        profiles.append(capture.take() or Profile())
    capture.end()
    merged = merge(profiles)
    every = sorted((float(seconds) for calls in phases for seconds in calls), reverse=True)
    assert [call.elapsed for call in merged.slowest] == every[:SLOWEST]
    assert sum(stats.calls for stats in merged.handlers.values()) == len(every)


def test_a_phase_tells_of_fast_calls_and_idle_handlers_once(sw, capture):
    capture.discard()
    idle = HandlerName("api", "idle")
    told = []
    for _ in range(3):
        for _ in range(SLOWEST):
            sw.work(1.0)
        profile = capture.take()
        told.append((len(profile.slowest), idle in profile.uncalled()))
    assert told == [(SLOWEST, True), (0, False), (0, False)]


def test_a_phase_without_calls_has_nothing_to_tell(sw, capture):
    capture.discard()
    capture.take()  # tells which handlers there are
    assert capture.take() is None
