"""The drift of the machine, the spread of runs, and the statistics behind a comparison."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import count
from statistics import NormalDist, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect import HandlerName, HandlerStats, Profile, merge
from smartcollect.profiles import Expectations, Run, compare, judge, load_runs, parse_rule, slower
from smartcollect.profiles.significance import corrected, of_median, outlying, scaled, spread
from smartcollect.storage.histogram import bucket_of, buckets_of, doubles, middle_of
from smartcollect.storage.histogram import quantile as median_of

HERE = Run(0.0, ("pytest",), {"cpu": "here"}, {})
MADE = count(1)
"""The times of made runs, all different: runs with the same time may pass for copies."""
RULE = parse_rule("15%")
NAMES = [f"h{number}" for number in range(6)]


def stats(seconds, calls=20, ran=1.0, steady=True):
    """Return statistics of calls of about ``seconds``, with the share ``ran`` on a processor."""
    made = HandlerStats()
    times = [seconds * (1 + (number % 5 - 2) / 1000) for number in range(calls)]
    made.add(times, buckets_of(doubles(times)), 0.0)
    if steady:
        made.add_readings(times, sum(times), sum(times) * ran, sum(times))
    return made


def run(machine=1.0, waiting=1.0, only=(), factor=1.0, **more):
    """Return a run of six handlers that compute and one that waits.

    Handlers named in ``only`` are slower by ``factor``.
    """
    handlers = {}
    for number, name in enumerate(NAMES, 1):
        slower = factor if name in only else 1.0
        handlers[HandlerName("api", name)] = stats(number * 0.002 * machine * slower)
    slower = factor if "sleepy" in only else 1.0
    handlers[HandlerName("api", "sleepy")] = stats(0.006 * waiting * slower, ran=0.01)
    handlers.update({HandlerName("api", name): one for name, one in more.items()})
    return Profile(handlers, run=HERE._replace(created=float(next(MADE))))


def accused(old, new, *rules, **more):
    found = compare(old, new, [parse_rule(rule) for rule in rules] or [RULE], **more)
    return sorted(change.name.handler for change in found.regressions)


# -- drift ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [0.6, 0.8, 1.25, 2.0])
def test_a_slower_machine_causes_no_regression(machine):
    found = compare(run(), run(machine), [RULE])
    assert found.drift.computing == pytest.approx(machine, rel=0.02)
    assert (found.drift.computers, found.drift.waiters) == (6, 1)
    assert not found.regressions
    assert [change.ratio for change in found.changes] == [pytest.approx(1, rel=0.03)] * 7


@pytest.mark.parametrize("name", [NAMES[0], NAMES[5], "sleepy"])
@pytest.mark.parametrize("machine", [0.7, 1.0, 1.4])
def test_a_slower_handler_is_found_on_any_machine(name, machine):
    assert accused(run(), run(machine, only=[name], factor=1.25)) == [name]


def test_waiting_takes_as_long_on_a_slow_machine():
    # Corrected for the drift of computing handlers, it would look faster, or slower the other way.
    (change,) = (
        one for one in compare(run(), run(1.5), [RULE]).changes if one.name.handler == "sleepy"
    )
    assert change.ratio == pytest.approx(1, rel=0.01)
    assert accused(run(1.5), run()) == []


def test_five_waiting_handlers_have_their_own_drift():
    def waiting(seconds):
        return {f"w{number}": stats(number * seconds, ran=0.0) for number in range(1, 5)}

    old, new = run(**waiting(0.001)), run(1.3, waiting=1.5, **waiting(0.0015))
    assert accused(old, new) == []
    found = compare(old, new)
    assert found.drift.waiting == pytest.approx(1.5, rel=0.02)
    assert str(found.drift).startswith("this run took 1.31 times as long (6 handlers) and 1.")
    # The drift is reported, and fails the run with a rule for it.
    assert found.slower_by([parse_rule("40%")]) == parse_rule("40%")
    expected = Expectations(compare_fail=(parse_rule("drift:40%"),))
    assert len(judge(new, expected, old).failures) == 1


@pytest.mark.parametrize(("machine", "then"), [(1.0, 1.5), (1.5, 1.0)])
def test_fewer_than_five_handlers_of_each_kind_show_no_drift(machine, then):
    def few_of_both(scale):
        handlers = {HandlerName("api", f"c{one}"): stats(0.004 * scale) for one in range(3)}
        handlers |= {HandlerName("api", f"w{one}"): stats(0.004, ran=0.01) for one in range(3)}
        return Profile(handlers, run=HERE)

    found = accused(few_of_both(machine), few_of_both(then))
    # A machine that computes more slowly affects computing handlers, and never waiting ones.
    assert found == (["c0", "c1", "c2"] if then > machine else [])


def test_the_share_of_computing_comes_from_either_run():
    """An old report has no steady times, so it does not show which handlers wait."""
    old, new = run(1.3), run()
    for one in old.handlers.values():
        one.steady.clear()
        one.steady_total = one.ran_total = one.read_total = 0.0
    assert accused(old, new) == []


def test_a_run_without_steady_times_is_left_out_if_others_have_them():
    old = [run(), run(), run(), run()]
    for one in old[0].handlers.values():
        one.steady.clear()
    found = compare(old, run(only=["h1"], factor=1.3), [RULE])
    assert {change.field for change in found.changes} == {"steady_time"}
    assert [change.name.handler for change in found.regressions] == ["h1"]
    assert "60 calls before, 20 now" in found.regressions[0].why


def test_the_time_of_waiting_for_a_processor_does_not_hide_a_slower_handler():
    def busy(seconds):
        made = HandlerStats()
        times = [seconds + 0.01 * (number % 5) for number in range(20)]
        made.add(times, buckets_of(doubles(times)), 0.0)
        made.add_readings([seconds] * 20, seconds * 20, seconds * 20, sum(times))
        return made

    assert accused(run(busy=busy(0.004)), run(busy=busy(0.005))) == ["busy"]


def test_a_handler_that_computes_and_waits_drifts_in_part():
    old, new = run(both=stats(0.004, ran=0.5)), run(1.4, both=stats(0.004 * 1.2, ran=0.7 / 1.2))
    (change,) = (one for one in compare(old, new).changes if one.name.handler == "both")
    assert change.ratio == pytest.approx(1, rel=0.05)


def few(number, factor=1.0):
    handlers = {
        HandlerName("api", f"h{one}"): stats(0.002 * one * factor) for one in range(1, number + 1)
    }
    return Profile(handlers, run=HERE)


def test_four_handlers_are_too_few_for_drift():
    found = compare(few(4), few(4, 1.5), [RULE])
    assert found.drift[:4] == (1, 1, 4, 0)
    told = "measuring it takes 5 handlers that mostly compute, and this run has 4"
    assert str(found.drift) == told
    assert len(found.regressions) == 4
    assert compare(few(5), few(5, 1.5), [RULE]).regressions == ()


def test_drift_ignores_rarely_called_and_tiny_handlers():
    def rare(factor):
        return {f"r{one}": stats(0.003 * factor, calls=2) for one in range(20)}

    def tiny(factor):
        return {f"t{one}": stats(1e-6 * factor, steady=False) for one in range(20)}

    found = compare(run(**rare(1), **tiny(1)), run(**rare(3), **tiny(3)), [RULE])
    assert found.drift.computing == pytest.approx(1, rel=0.01)
    assert found.drift.computers == 6


@pytest.mark.parametrize(("text", "fails"), [("drift:30%", True), ("drift:50%", False)])
def test_drift_fails_a_run_only_with_a_rule_for_it(text, fails):
    usual = Expectations(compare_fail=(parse_rule("20%"),))
    assert judge(run(1.4), usual, run()).failures == ()
    failures = judge(run(1.4), Expectations(compare_fail=(parse_rule(text),)), run()).failures
    assert [one.startswith("everything is slower: this run took 1.4") for one in failures] == (
        [True] * fails
    )
    found = compare(run(), run(1.4), [parse_rule("20%")])
    assert found.slower_by([parse_rule("20%")]) == parse_rule("20%")
    assert found.slower_by([parse_rule("50%"), parse_rule("calls:0%")]) is None
    several = [parse_rule(text) for text in ("10%", "avg_time:30%", "20%")]
    assert found.slower_by(several) == parse_rule("avg_time:30%")


def test_an_unknown_drift_is_not_judged():
    verdict = judge(few(3, 3.0), Expectations(compare_fail=(parse_rule("drift:20%"),)), few(3))
    assert verdict.failures == ()
    assert verdict.notes[0].startswith("drift:20% is not judged: measuring it takes 5 handlers")


def test_counts_do_not_drift():
    assert accused(run(), run(2.0), "calls:0%") == []
    assert accused(run(), run(0.5, only=[NAMES[0]], factor=1), "calls:0%") == []


def test_both_runs_are_compared_by_the_same_statistic():
    old, new = run(short=stats(0.0004, steady=False)), run(short=stats(0.0009))
    fields = {change.name.handler: change.field for change in compare(old, new, [RULE]).changes}
    assert fields["short"] == "p50_time"
    assert fields["sleepy"] == fields["h0"] == "steady_time"
    assert accused(old, new) == ["short"]
    old, new = run(short=stats(0.0009)), run(short=stats(0.0004, steady=False))
    fields = {change.name.handler: change.field for change in compare(old, new, [RULE]).changes}
    assert fields["short"] == "p50_time"


@pytest.mark.parametrize(
    ("then", "now", "ratio"),
    # Only the time on a processor is corrected, by the share in the new run.
    [
        (1.0, 0.6, 0.6 / 1.4 + 0.4),
        (0.0, 0.4, 0.4 / 1.4 + 0.6),
        (0.0, 1.0, 1 / 1.4),
        (1.0, 0.0, 1.0),
    ],
)
def test_the_share_of_computing_that_counts(then, now, ratio):
    old = run(other=stats(0.004, ran=then))
    found = compare(old, run(1.4, other=stats(0.004, ran=now))).changes
    (change,) = (one for one in found if one.name.handler == "other")
    assert change.ratio == pytest.approx(ratio, rel=0.02)
    assert change.after == pytest.approx(change.before * ratio, rel=0.02)


def chain(machine=1.0, slower=1.0):
    """Return a run of a function that does all the work, and of seven that call each other."""
    run_ = Profile(run=HERE._replace(created=float(next(MADE))))
    seconds = 0.01 * machine * slower
    handlers = {HandlerName("api", "leaf"): stats(seconds)}
    for number in range(7):
        caller = stats(seconds)
        caller.self_time = 0.0
        handlers[HandlerName("api", f"caller{number}")] = caller
    return replace(run_, handlers=handlers)


@pytest.mark.parametrize("machine", [0.6, 1.4, 1.9])
def test_functions_that_call_each_other_show_a_drift_that_a_machine_may_cause(machine):
    found = compare(chain(), chain(machine), [RULE])
    assert found.drift.computing == pytest.approx(machine, rel=0.03)
    assert not found.regressions
    assert found.drift.is_removed
    assert (found.slower_by([RULE]) is None) == (machine < 1)


@pytest.mark.parametrize("slower", [2.2, 10.0])
def test_functions_that_call_a_slow_function_show_no_drift(slower):
    rules = RULE, parse_rule("drift:25%")
    verdict = judge(chain(slower=slower), Expectations(compare_fail=rules), chain())
    found = verdict.comparison
    assert not found.drift.is_removed
    assert len(found.regressions) == 8
    assert str(found.drift).endswith("times as long (8 handlers), more than a machine causes")
    # The limit for the drift does not ask for the cause.
    assert verdict.failures[-1].startswith("everything is slower: this run took ")


def test_a_chain_that_became_much_faster_hides_nothing():
    new = chain(slower=0.3)
    worse = {
        **new.handlers,
        HandlerName("api", "caller0"): chain(slower=1.5).handlers[HandlerName("api", "leaf")],
    }
    found = compare(chain(), replace(new, handlers=worse), [RULE])
    assert [change.name.handler for change in found.regressions] == ["caller0"]
    assert not found.drift.is_removed


@pytest.mark.parametrize(("own", "removed"), [(0.55, True), (0.45, False)])
def test_a_handler_that_works_itself_takes_half_of_its_time_or_more(own, removed):
    def made(seconds):
        one = stats(seconds)
        one.self_time = one.total_time * own
        return one

    old, new = (
        Profile({HandlerName("api", f"h{n}"): made(0.01 * by) for n in range(5)}, run=HERE)
        for by in (1, 3)
    )
    assert compare(old, new, [RULE]).drift.is_removed == removed


def test_work_that_one_of_the_runs_leaves_to_others_does_not_count():
    def made(by, own):
        handlers = {HandlerName("api", f"h{n}"): stats(0.01 * by) for n in range(5)}
        for one in handlers.values():
            one.self_time *= own
        return Profile(handlers, run=HERE)

    assert not compare(made(1, 1.0), made(3, 0.1), [RULE]).drift.is_removed
    assert not compare(made(1, 0.1), made(3, 1.0), [RULE]).drift.is_removed


def test_waiting_for_a_processor_does_not_pass_for_waiting_in_the_code():
    """Without run delay, the share of computing is one of the time that passed."""

    def made(seconds, ran):
        one = stats(seconds, steady=False)
        total = one.total_time
        one.add_readings([], total, ran * total, total)
        return one

    old, new = (
        Profile({HandlerName("api", f"h{n}"): made(0.01 * by, ran) for n in range(6)}, run=HERE)
        for by, ran in ((1, 1.0), (2.2, 0.45))
    )
    assert compare(old, new, [RULE]).regressions == ()


def test_handlers_that_work_themselves_tell_a_slow_function_from_drift():
    others = {f"h{number}": stats(0.003) for number in range(6)}
    names = {HandlerName("api", name): one for name, one in others.items()}
    old, new = chain(), chain(slower=1.5)
    old, new = (replace(one, handlers={**one.handlers, **names}) for one in (old, new))
    found = compare(old, new, [RULE])
    assert found.drift.computing == pytest.approx(1.0, rel=0.02)
    assert len(found.regressions) == 8


# -- the spread of several runs ------------------------------------------------------------------


def several(number, jitter=0.0, seed=1):
    """Return runs of a machine that drifts, whose handlers also vary by ``jitter``."""
    draw = random.Random(seed)
    made = []
    for _ in range(number):
        one = run(draw.uniform(0.8, 1.4))
        for name in one.handlers:
            scale = 1 + draw.uniform(-jitter, jitter)
            histogram = scaled([(one.handlers[name].steady, [1 / scale] * 3)])
            one.handlers[name].steady.clear()
            one.handlers[name].steady.update(histogram)
        made.append(one)
    return made


def test_three_runs_have_a_spread():
    found = compare(several(3), run(), [RULE])
    assert found.runs == 3
    assert all(change.spread >= 0.01 for change in found.changes)
    assert not compare(several(2), run(), [RULE]).has_spread
    assert not found.regressions


@pytest.mark.parametrize("name", [NAMES[2], "sleepy"])
def test_a_tenth_more_is_a_regression_if_runs_vary_little(name):
    assert accused(several(5), run(1.2, only=[name], factor=1.1), "5%") == [name]


def test_a_tenth_more_is_chance_if_runs_vary_as_much():
    old = several(5, jitter=0.15)
    assert accused(old, run(), "5%") == []
    found = compare(old, run(), [parse_rule("5%")]).changes
    (change,) = (one for one in found if one.name.handler == "h2")
    assert change.ratio == pytest.approx(1.1, abs=0.03)
    assert "may be chance" in change.why
    assert "5 earlier runs with a spread of" in change.why


def varied(names, factors, ran=1.0):
    """Return handlers that are slower or faster than those of `run` by a factor each."""
    return {
        name: stats(number * 0.002 * factor, ran=ran)
        for number, (name, factor) in enumerate(zip(names, factors, strict=True), 1)
    }


def test_means_of_a_machine_that_drifts_vary_little():
    old = [run(machine) for machine in (0.7, 1.0, 1.5)]
    assert accused(old, run(only=["h1"], factor=1.3), "avg_time:10%") == ["h1"]


def test_growth_is_uncertain_if_only_the_slower_calls_grew():
    def some(factor):
        made = HandlerStats()
        times = [0.004] * 240 + [0.004 * factor] * 160
        made.add(times, buckets_of(doubles(times)), 0.0)
        made.add_readings(times, sum(times), sum(times), sum(times))
        return made

    old = [run(some=some(1.0)) for _ in range(5)]
    found = compare(old, run(some=some(1.6)), [parse_rule("5%")]).changes
    (change,) = (one for one in found if one.name.handler == "some")
    assert change.ratio == pytest.approx(1.2, abs=0.03)
    assert not change.regression
    assert "may be chance" in change.why


def test_a_tenth_more_is_chance_if_similar_handlers_vary_as_much():
    old = [run() for _ in range(5)]
    new = run(**varied(NAMES, (0.9, 0.94, 1.0, 1.0, 1.06, 1.12)))
    assert accused(old, new, "5%") == []
    assert accused(old, run(**varied(NAMES, (1.0, 1.0, 1.0, 1.0, 1.0, 1.12))), "5%") == ["h5"]
    assert accused(old, run(**varied(NAMES, (0.9, 0.94, 1.0, 1.0, 1.06, 2.0))), "5%") == ["h5"]


def test_handlers_that_wait_do_not_make_those_that_compute_uncertain():
    names = [f"w{number}" for number in range(6)]
    old = [run(**varied(names, [1.0] * 6, ran=0.0)) for _ in range(5)]
    waiting = varied(names, (0.6, 0.7, 0.8, 1.2, 1.3, 1.4), ran=0.0)
    assert accused(old, run(only=["h3"], factor=1.12, **waiting), "5%") == ["h3"]


def test_a_single_odd_run_does_not_matter():
    old = [run(), run(), run(only=NAMES[:2], factor=9), run(), run()]
    assert accused(old, run(only=["h3"], factor=1.25)) == ["h3"]
    assert accused(old, run()) == []


def test_a_handler_that_is_new_in_the_last_runs():
    old = [run(), run(), run(fresh=stats(0.002)), run(fresh=stats(0.002))]
    found = compare(old, run(fresh=stats(0.004)), [RULE])
    assert [change.name.handler for change in found.regressions] == ["fresh"]
    assert found.regressions[0].spread is None
    assert found.added == ()


def test_runs_from_a_different_machine_are_left_out():
    elsewhere = [HERE._replace(created=at, machine={"cpu": "other"}) for at in (1.0, 2.0, 3.0)]
    old = [run(), run(), *(replace(run(9.0), run=other) for other in elsewhere)]
    found = compare(old, run(only=["h1"], factor=1.3), [RULE])
    assert (found.runs, found.left_out, found.elsewhere) == (2, 3, ())
    assert [change.name.handler for change in found.regressions] == ["h1"]
    found = compare(old[2:], run(), [RULE])
    assert (found.runs, found.left_out) == (3, 0)
    assert found.elsewhere == ("cpu: other before, here now",)
    assert not found.regressions


def test_copies_of_a_run_count_once():
    one = run()
    other = replace(run(1.1), run=one.run)  # made at the same time
    incomplete = replace(one, incomplete=("interrupted",))
    copy = one.in_test("test_it", "call", "passed", 1.0)
    found = compare([one, copy, other, copy, incomplete], run())
    assert (found.runs, found.copies) == (2, 2)


def test_the_newest_reports_of_a_folder_count(tmp_path):
    from smartcollect.reports.report_file import report

    for number in range(23):
        made = replace(few(1), run=HERE._replace(created=float(number * 7 % 23)))
        (tmp_path / f"{number}.json").write_text("".join(report(made)))
    (tmp_path / "notes.txt").write_text("no report")
    found = load_runs(tmp_path)
    assert [one.run.created for one in found] == [float(number) for number in range(23)]
    elsewhere = [replace(one, run=one.run._replace(machine={"cpu": "other"})) for one in found]
    broken = [replace(one, incomplete=("1 worker lost",)) for one in found]
    compared = compare([*found, *elsewhere, *broken], few(1), [RULE])
    assert (compared.runs, compared.left_out, compared.incomplete) == (20, 23, ())
    (tmp_path / "5.json").write_text("{}")
    with pytest.raises(ValueError, match=r"5\.json: not a smartcollect/profile"):
        load_runs(tmp_path)


def test_an_empty_folder(tmp_path):
    assert load_runs(tmp_path) == []
    with pytest.raises(ValueError, match="cannot be read"):
        load_runs(tmp_path / "none")


# -- many handlers -------------------------------------------------------------------------------


def test_p_is_corrected_for_the_number_of_handlers():
    """Without a correction, five in a hundred unchanged handlers would look slower."""
    draw = random.Random(5)

    def noisy():
        made = {}
        for number in range(400):
            times = [0.002 * draw.lognormvariate(0, 0.5) for _ in range(8)]
            one = made[HandlerName("api", f"n{number}")] = HandlerStats()
            one.add(times, buckets_of(doubles(times)), 0.0)
        return Profile(made, run=HERE)

    accused = by_calls = 0
    for _ in range(5):
        old, new = noisy(), noisy()
        found = compare(old, new, [parse_rule("p50_time:10%")])
        accused += len(found.regressions)
        for change in found.changes:
            name = change.name
            p = slower(old.handlers[name].histogram, new.handlers[name].histogram)
            by_calls += change.ratio > 1.1 and p <= 0.05
    # Out of two thousand comparisons.
    assert by_calls > 80
    assert accused <= 5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_correction_is_the_one_of_benjamini_and_hochberg(chances):
    """A test passes up to the largest rank whose p is below its share of the level."""
    found = corrected(chances)
    for level in (0.01, 0.05, 0.2, 0.5):
        ranked = sorted(chances)
        share = level / len(ranked) * (1 + 1e-12)
        passing = [rank for rank, p in enumerate(ranked, 1) if p <= share * rank]
        bound = ranked[max(passing) - 1] if passing else -1
        for p, q in zip(chances, found, strict=True):
            if abs(q - level) > 1e-9:
                assert (q <= level) == (p <= bound)


def test_known_corrections():
    # statsmodels.stats.multitest.multipletests(..., method="fdr_bh")
    expected = [0.03, 0.04, 0.04, 0.04, 0.05]
    assert corrected([0.006, 0.02, 0.024, 0.032, 0.05]) == pytest.approx(expected)
    assert corrected([]) == []


# -- single functions ----------------------------------------------------------------------------


@given(st.lists(st.floats(1e-5, 10), min_size=1, max_size=60))
def test_the_median_of_a_histogram_is_within_two_percent(times):
    exact = sorted(times)[(len(times) - 1) // 2]
    histogram = {}
    for bucket in buckets_of(doubles(times)):
        histogram[bucket] = histogram.get(bucket, 0) + 1
    assert median_of(histogram) == pytest.approx(exact, rel=1 / 32)


def test_calls_that_take_no_time_have_a_median_of_zero():
    assert median_of({0: 3}) == 0.0
    assert median_of({0: 3, bucket_of(1.0): 2}) == 0.0


def test_the_median_is_finer_than_a_bucket():
    draw = random.Random(2)
    for middle in (0.00101, 0.00104, 0.00107):
        times = [middle * draw.uniform(0.9, 1.1) for _ in range(2_000)]
        histogram = {}
        for bucket in buckets_of(doubles(times)):
            histogram[bucket] = histogram.get(bucket, 0) + 1
        assert median_of(histogram) == pytest.approx(median(times), rel=0.002)


def test_the_spread_is_a_standard_deviation():
    draw = random.Random(3)
    values = [draw.gauss(1.0, 0.05) for _ in range(5_000)]
    assert spread(values) == pytest.approx(0.05, rel=0.05)
    assert spread([*values, *[50.0] * 100]) == pytest.approx(0.05, rel=0.08)


@pytest.mark.parametrize("number", [2, 3, 5, 8, 12])
def test_few_values_have_the_same_spread_on_average(number):
    draw = random.Random(6)
    found = [spread([draw.gauss(1.0, 0.02) for _ in range(number)]) for _ in range(5_000)]
    assert sum(found) / len(found) == pytest.approx(0.02, rel=0.06)


def test_calls_between_quartiles_drift_by_factors_between():
    times = [0.001, 0.002, 0.004, 0.008]
    middles = [middle_of(bucket_of(time)) for time in times]
    # A quarter of the calls each, the middle ones halfway between two quartiles.
    expected = dict.fromkeys((bucket_of(middles[0]), bucket_of(middles[3] / 4)), 10)
    expected[bucket_of(middles[1] / 1.5)] = 20
    given = dict.fromkeys(map(bucket_of, times), 10)
    assert scaled([(given, (1.0, 2.0, 4.0))]) == expected
    assert scaled([(given, (1.0, 1.0, 1.0))] * 2) == dict.fromkeys(given, 20)


def test_outlying_agrees_with_random_runs():
    """It returns how often a random run exceeds the median of five by this much."""
    draw = random.Random(4)
    for growth in (0.03, 0.08):
        tries = 20_000
        hits = sum(
            draw.gauss(1, 0.05) - median(draw.gauss(1, 0.05) for _ in range(5)) > growth
            for _ in range(tries)
        )
        assert hits / tries == pytest.approx(outlying(growth, of_median(0.05, 5)), abs=0.012)
    assert outlying(math.inf, 0.05) == 0
    assert outlying(0.0, 0.05) == pytest.approx(0.5)
    assert outlying(0.05, 0.03, 0.04) == pytest.approx(1 - NormalDist().cdf(1), rel=1e-3)
    assert (outlying(0.1, 0.0), outlying(0.0, 0.0)) == (0, 1)


def test_the_waiting_of_processes_adds_up():
    from smartcollect.profiles import Waiting

    one, other = Profile(waiting=Waiting(1.0, 4.0)), Profile(waiting=Waiting(0.5, 6.0))
    assert merge([one, other]).waiting == Waiting(1.5, 10.0)
    assert merge([one, other]).waiting.share == pytest.approx(0.15)
    assert Profile().waiting.share == 0
    assert Profile.from_dict(one.to_dict()).waiting == one.waiting
