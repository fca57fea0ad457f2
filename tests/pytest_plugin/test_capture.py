"""What rides on the reports: enough for the whole run, and no more than that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import HandlerName, Profile, merge
from smartcollect.profiles.packing import unpack
from smartcollect.profiles.parts import SLOWEST
from smartcollect_pytest.capture import ATTRIBUTE, Capture


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


def report(number):
    return SimpleNamespace(nodeid=f"test_{number}", when="call", outcome="passed", duration=1.0)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 50), max_size=40), max_size=12))
def test_the_slowest_calls_of_the_run_are_among_those_of_the_reports(sw, time, phases):
    capture = Capture()
    capture.begin()
    profiles = []
    for number, calls in enumerate(phases):
        capture.discard()
        for seconds in calls:
            sw.work(float(seconds))
        made = report(number)
        capture.load(made)
        profiles.append(unpack(getattr(made, ATTRIBUTE)) if hasattr(made, ATTRIBUTE) else Profile())
    capture.end()
    merged = merge(profiles)
    every = sorted((float(seconds) for calls in phases for seconds in calls), reverse=True)
    assert [call.elapsed for call in merged.slowest] == every[:SLOWEST]
    assert sum(stats.calls for stats in merged.handlers.values()) == len(every)


def test_a_report_tells_of_fast_calls_and_idle_handlers_once(sw, capture):
    capture.discard()
    idle = HandlerName("api", "idle")
    told = []
    for number in range(3):
        for _ in range(SLOWEST):
            sw.work(1.0)
        made = report(number)
        capture.load(made)
        profile = unpack(getattr(made, ATTRIBUTE))
        told.append((len(profile.slowest), idle in profile.uncalled()))
    assert told == [(SLOWEST, True), (0, False), (0, False)]


def test_a_phase_without_calls_carries_nothing(sw, capture):
    capture.discard()
    capture.load(report(0))  # tells which handlers there are
    made = report(1)
    capture.load(made)
    assert not hasattr(made, ATTRIBUTE)
