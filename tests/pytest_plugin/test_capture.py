"""Profiles of phases: they hold all that the profile of the run needs, and are small."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import HandlerName, Profile, merge
from smartcollect.profiles.parts import SLOWEST
from smartcollect.storage.ranking import EACH
from smartcollect_pytest.capture import Capture

TICK = 2**-20
"""A short time in seconds. Calls of some hundred ticks are too short to read processor times."""


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

    @sw
    def quick(seconds):
        time.sleep(seconds / 100)

    sw.work, sw.quick = work, quick
    return sw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40), st.booleans()
        ),
        max_size=12,
    )
)
def test_the_slowest_calls_of_the_run_are_among_those_of_the_phases(sw, time, phases):
    capture = Capture()
    capture.begin()
    profiles, counted = [], []
    for calls, dropped in phases:
        capture.discard()
        for quick, ticks in calls:
            (sw.quick if quick else sw.work)(ticks * 8 * TICK)
        if dropped:  # as for calls outside tests
            capture._log.recorder.store.summary()
            continue
        profiles.append(capture.take() or Profile())
        counted += [(quick, ticks * 8 * TICK / (100 if quick else 1)) for quick, ticks in calls]
    capture.end()
    merged = merge(profiles)
    every = sorted((elapsed for _, elapsed in counted), reverse=True)
    assert [call.elapsed for call in merged.slowest[:SLOWEST]] == pytest.approx(every[:SLOWEST])
    assert sum(stats.calls for stats in merged.handlers.values()) == len(every)
    for name, own in (("quick", True), ("work", False)):
        slowest = sorted((one for quick, one in counted if quick is own), reverse=True)
        kept = [call.elapsed for call in merged.slowest if call.name.handler == name]
        assert kept[:EACH] == pytest.approx(slowest[:EACH])


def ticks_of(profile, name):
    return [one.elapsed / TICK for one in profile.slowest if one.name.handler == name]


def test_the_slowest_calls_of_a_quick_handler_are_kept(sw, capture):
    """They are kept beside slower calls of other handlers, in whichever phase they come."""
    profiles = []
    for _ in range(3):
        capture.discard()
        for _ in range(1_000):
            sw.work(400 * TICK)
        for number in range(1_000):
            sw.quick(number % 10 * 100 * TICK)
        sw.quick(2_000 * TICK)
        profiles.append(capture.take())
        assert len(profiles[-1].slowest) <= SLOWEST + 2 * EACH
    merged = merge(profiles)
    assert ticks_of(merged, "quick") == pytest.approx([20] * 3 + [9] * 2)
    assert len(merged.slowest) == SLOWEST + EACH
    # Later phases add only a few calls.
    assert len(profiles[2].slowest) <= EACH


def test_slow_calls_outside_tests_hide_no_calls_of_tests(sw, capture):
    for ticks in (200, 0):
        capture.discard()
        for _ in range(1_000):
            sw.quick(40_000 * TICK)
        for number in range(1_000):
            sw.work((ticks + number % 7) * TICK)
    assert ticks_of(capture.take(), "work") == pytest.approx([6] * EACH)


def test_fast_calls_and_idle_handlers_are_in_the_first_phase_only(sw, capture):
    capture.discard()
    idle = HandlerName("api", "idle")
    found = []
    for _ in range(3):
        for _ in range(SLOWEST):
            sw.work(1.0)
        profile = capture.take()
        found.append((len(profile.slowest), idle in profile.uncalled()))
    assert found == [(SLOWEST, True), (0, False), (0, False)]


def test_a_phase_without_calls_has_no_profile(sw, capture):
    capture.discard()
    capture.take()  # holds the registered handlers
    assert capture.take() is None
