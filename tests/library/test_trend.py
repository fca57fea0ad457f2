"""Trends: three runs in a row confirm a step, and noise never makes one."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect import HandlerName
from smartcollect.profiles.steps import time_steps
from smartcollect.profiles.trend import Series, trends
from smartcollect.reports.trends import Trends

WORK = HandlerName("app", "work")
NAMES = [WORK, *(HandlerName("app", f"other{number}") for number in range(9))]


def noisy(runs, spread=0.015, drift=0.0, seed=1):
    """Return handlers of 1 ms and more over many runs, on a machine that drifts."""
    chance = random.Random(seed)
    drifts = [math.exp(chance.gauss(0, drift)) for _ in range(runs)]
    return {
        name: Series(
            list(range(runs)),
            [5] * runs,
            [0] * runs,
            [(1 + number) / 1000 * one * math.exp(chance.gauss(0, spread)) for one in drifts],
            [1.0] * runs,
        )
        for number, name in enumerate(NAMES)
    }


def steps(handlers, runs):
    """Return all steps, each with the index of the run where it began."""
    found = trends(handlers, list(range(runs)), [f"c{run}" for run in range(runs)], list(handlers))
    every = [step for trend in found for step in trend.steps]
    assert all(step.commit == f"c{step.created}" for step in every)
    return [(step.name, step.field, step.created) for step in every]


@pytest.mark.parametrize("factor", [1.1, 0.9, 2.0])
def test_a_step_is_found_with_its_third_run(factor):
    found = 0
    for seed in range(20):
        handlers = noisy(43, spread=0.01, drift=0.1, seed=seed)
        times = handlers[WORK].times
        times[40:] = [time * factor for time in times[40:]]
        found += steps(handlers, 43) == [(WORK, "steady_time", 40)]
        for name in NAMES:
            del handlers[name].times[-1], handlers[name].runs[-1], handlers[name].calls[-1]
            del handlers[name].errors[-1], handlers[name].computing[-1]
        assert steps(handlers, 42) == []
    assert found >= 19


def test_the_fields_of_steps_and_trends():
    handlers = noisy(30, spread=0.0)
    handlers[WORK].times[20:] = [0.0015] * 10
    (trend,) = trends(handlers, [float(run) for run in range(30)], ["abc"] * 30, [WORK])
    (step,) = trend.steps
    assert (step.before, step.after) == pytest.approx((0.001, 0.0015))
    assert step.ratio == pytest.approx(1.5)
    assert trend.times == pytest.approx([0.001] * 20 + [0.0015] * 10)
    assert (trend.calls, trend.errors, trend.created[3]) == ((5,) * 30, (0,) * 30, 3.0)


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
def test_noise_is_not_a_step(spread):
    handlers = noisy(1_000, spread, drift=0.2)
    chance = random.Random(7)
    handlers[NAMES[1]].calls[:] = [chance.randint(4, 6) for _ in range(1_000)]
    handlers[NAMES[2]].calls[:] = [5 + (chance.random() < 0.02) for _ in range(1_000)]
    handlers[NAMES[3]].errors[:] = [chance.randint(0, 1) for _ in range(1_000)]
    assert steps(handlers, 1_000) == []


def test_one_slow_run_is_not_a_step():
    handlers = noisy(60)
    handlers[WORK].times[30] *= 10
    handlers[WORK].calls[40] = 9
    handlers[WORK].times[50:52] = [0.0015, 0.0015]
    assert steps(handlers, 60) == []
    # The slow runs do not hide a later step.
    handlers[WORK].times[55:] = [0.0012] * 5
    assert steps(handlers, 60) == [(WORK, "steady_time", 55)]


def test_a_slower_machine_is_not_a_step():
    handlers = noisy(200)
    for series in handlers.values():
        series.times[100:] = [time * 1.4 for time in series.times[100:]]
    assert steps(handlers, 200) == []


@pytest.mark.parametrize("waiting", [0.0, 0.1])
def test_handlers_that_wait_do_not_drift_with_those_that_compute(waiting):
    handlers = noisy(200)
    for name, series in handlers.items():
        if name in NAMES[:4]:
            # Short calls of these have no reading.
            series.computing[:] = [math.nan, *[waiting] * 199]
        else:
            series.times[100:] = [time * 1.4 for time in series.times[100:]]
    assert steps(handlers, 200) == []


def test_the_first_runs_are_corrected_for_drift():
    handlers = noisy(40, spread=0.0)
    for series in handlers.values():
        series.times[0] *= 1.5
    for trend in trends(handlers, [0.0] * 40, [""] * 40, NAMES):
        assert trend.times == pytest.approx([trend.times[-1]] * 40)


def test_drift_is_measured_from_the_last_runs():
    """Most handlers change in the end, but never at the same time."""
    handlers = noisy(200)
    for number, name in enumerate(NAMES):
        began = 40 + 15 * number
        handlers[name].times[began:] = [time * 1.3 for time in handlers[name].times[began:]]
    assert steps(handlers, 200) == [
        (name, "steady_time", 40 + 15 * number) for number, name in enumerate(NAMES)
    ]


def many(present, factor=lambda number, run: 1.0, runs=300, handlers=120):
    """Return handlers that only some runs have, on a machine that is slow for many runs."""
    chance = random.Random(3)
    slow, found = False, {}
    machine = []
    for _ in range(runs):
        slow = slow != (chance.random() > 0.95)
        machine.append(1.5 if slow else 1.0)
    for number in range(handlers):
        known = [run for run in range(runs) if present(number, run)]
        times = [
            machine[run] * factor(number, run) * 0.002 * math.exp(chance.gauss(0, 0.01))
            for run in known
        ]
        found[HandlerName("app", f"h{number:03}")] = Series(
            known, [5] * len(known), [0] * len(known), times, [1.0] * len(known)
        )
    return found


@pytest.mark.parametrize(
    "present",
    [
        lambda number, run: run < 150 if number % 2 else run >= 90,
        lambda number, run: run < 240 if number < 60 else run >= 90,
        lambda number, run: run >= 2 * number,
        lambda number, run: run < 200 if number < 60 else run >= 200 if number < 119 else True,
    ],
)
def test_handlers_that_come_and_go_make_no_steps(present):
    assert steps(many(present), 300) == []


@pytest.mark.parametrize("slower", [26, 50])
def test_a_slower_module_has_steps_and_other_modules_have_none(slower):
    def factor(number, run):
        return 1.15 if number < slower and run >= 250 else 1.0

    found = steps(many(lambda number, run: True, factor), 300)
    assert sorted(name.handler for name, _, _ in found) == [f"h{n:03}" for n in range(slower)]
    assert {began for _, _, began in found} == {250}


@pytest.mark.parametrize("handlers", [3, 4, 7])
def test_few_handlers_are_enough_for_drift(handlers):
    for share in (0.005, 1.0):  # 10 µs, and 2 ms

        def factor(number, run, share=share):
            return share

        assert steps(many(lambda number, run: True, factor, 300, handlers), 300) == []


def test_two_handlers_are_too_few_for_drift():
    known = many(lambda number, run: True, runs=40, handlers=2)
    found = trends(known, [0.0] * 40, [""] * 40, list(known))
    assert not any(one.is_steadied for one in found)
    assert str(Trends(found)).endswith(
        "not corrected for the drift of the machine: that needs 3 handlers"
    )
    enough = many(lambda number, run: True, runs=40, handlers=3)
    found = trends(enough, [0.0] * 40, [""] * 40, list(enough))
    assert str(Trends(found)) == "no handler changed in 40 runs"


@pytest.mark.parametrize(
    ("runs", "few"),
    [
        (5, ", too few to judge (6 are needed for calls, 13 for times)"),
        (6, ", too few to judge times (13 are needed)"),
        (12, ", too few to judge times (13 are needed)"),
        (13, ""),
    ],
)
def test_too_few_runs_to_judge(runs, few):
    def found(handlers):
        return Trends(trends(handlers, [0.0] * runs, [""] * runs, list(handlers)))

    known = many(lambda number, run: True, runs=runs, handlers=7)
    assert str(found(known)) == f"no handler changed in {runs} runs{few}"
    # That many runs are really needed.
    changed = next(iter(known.values()))
    changed.calls[-3:] = [6] * 3
    changed.times[-3:] = [9 * time for time in changed.times[-3:]]
    fields = {step.field for step in found(known).steps}
    assert ("calls" in fields, "steady_time" in fields) == (runs >= 6, runs >= 13)


def test_runs_that_did_not_call_a_handler():
    handlers = noisy(60)
    calls = [0] * 20 + [5] * 20 + [0] * 20
    series = handlers[WORK]
    handlers[WORK] = Series(series.runs, calls, series.errors, series.times, series.computing)
    (trend,) = trends(handlers, [float(run) for run in range(60)], ["x"] * 60, [WORK])
    assert [(step.field, step.created, step.after) for step in trend.steps] == [
        ("calls", 20.0, 5),
        ("calls", 40.0, 0),
    ]
    assert [math.isnan(time) for time in trend.times] == [not called for called in calls]


def test_a_step_has_the_run_where_it_began():
    right = 0
    for seed in range(60):
        chance = random.Random(seed)
        times = [math.exp(chance.gauss(0, 0.02)) * (1.15 if run >= 40 else 1) for run in range(50)]
        right += [step.at for step in time_steps(times)] == [40]
    assert right >= 54


def test_several_steps():
    handlers = noisy(200)
    times = handlers[WORK].times
    for first, factor in ((50, 1.2), (100, 1.2), (104, 0.7), (150, 1.1)):
        times[first:] = [time * factor for time in times[first:]]
    assert steps(handlers, 200) == [(WORK, "steady_time", run) for run in (50, 100, 104, 150)]


@pytest.mark.parametrize(
    ("calls", "began"),
    [
        ([4, 4, 4, 5, 5, 5], [3]),
        ([4, 4, 5, 5, 5, 5], []),  # too few runs before the change
        ([4, 4, 4, 4, 5, 5], []),
        ([4, 4, 4, 4, 5, 5, 4, 4, 4, 4], []),
        ([4, 4, 4, 5, 5, 5, 4, 4, 4], [3, 6]),
        ([4, 5] * 10 + [6] * 3, []),  # the count changes often
        ([256] * 18 + [255] + [256] * 2 + [312] * 30, [21]),
        ([4] * 25 + [5] + [4] * 10 + [6] * 3, [36]),
        ([4, 5, 6] * 10 + [7] * 3, []),
        ([0] * 10 + [1] * 3, [10]),
        ([], []),
    ],
)
def test_counts_are_compared_by_equality(calls, began):
    runs = len(calls)
    series = Series(list(range(runs)), calls, [0] * runs, [0.001] * runs, [math.nan] * runs)
    assert steps({WORK: series}, runs) == [(WORK, "calls", run) for run in began]


def test_a_handler_that_some_runs_did_not_call():
    handlers = noisy(100)
    series = handlers[WORK]
    handlers[WORK] = Series(*[column[::2] for column in vars(series).values()])
    handlers[WORK].times[30:] = [0.002] * 20
    assert steps(handlers, 100) == [(WORK, "steady_time", 60)]


@given(st.lists(st.floats(0, 1e3), max_size=40), st.data())
def test_any_times(times, data):
    runs = len(times)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=runs, max_size=runs))
    series = Series(list(range(runs)), counts, counts, times, [math.nan] * runs)
    for _, _, run in steps({WORK: series}, runs):
        assert 3 <= run <= runs - 3
