"""The call graph: each call counts once, for the call that made it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import threading
import types
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smartswitch import Switcher
from support import FakeTime, SlowerCallsSeen, dispatch

from smartcollect import CallLog, HandlerName, HandlerStats, Profile, collecting, merge
from smartcollect.profiles import Edge
from smartcollect.profiles.packing import pack, unpack
from smartcollect.recording.probe import _CALLERS
from smartcollect.recording.settings import LogSettings
from smartcollect.storage.histogram import bucket_of
from smartcollect.storage.store import FOLD_AT

pytestmark = pytest.mark.twice

# A call: its handler, its own work, whether it raises, and the calls that it makes.
CALL = st.recursive(
    st.tuples(st.sampled_from("abde"), st.integers(0, 3), st.booleans(), st.just(())),
    lambda inner: st.tuples(
        st.sampled_from("abde"), st.integers(0, 3), st.booleans(), st.lists(inner, max_size=12)
    ),
    max_leaves=25,
)
KINDS = {"d": "def {0}(call): yield run(call)", "e": "async def {0}(call): return run(call)"}


class Application:
    """Handlers that make random calls, and count callers and callees independently."""

    def __init__(self, time):
        self.time = time
        self.calls, self.seconds, self.alone = Counter(), Counter(), Counter()
        self.running = []
        self.api = Switcher("api")
        for name in "abde":
            namespace = {"run": self.run}
            exec(KINDS.get(name, "def {0}(call): return run(call)").format(name), namespace)
            self.api(namespace[name])

    def run(self, call):
        name, work, fails, inner = call
        caller = self.running[-1] if self.running else None
        self.running.append(name)
        start = self.time.now
        try:
            self.time.now += work
            for one in inner:
                with contextlib.suppress(ValueError):
                    self.make(one)
            if fails:
                raise ValueError(work)
        finally:
            self.running.pop()
            if caller is None:
                self.alone[name] += 1
            else:
                self.calls[caller, name] += 1
                self.seconds[caller, name] += self.time.now - start

    def make(self, call):
        made = dispatch(self.api, call[0])(call)
        if isinstance(made, types.GeneratorType):
            list(made)
        elif isinstance(made, types.CoroutineType):
            with contextlib.suppress(StopIteration):
                made.send(None)


def edges_of(profile):
    return {(one.parent.handler, one.child.handler): one[2:] for one in profile.edges}


@given(st.lists(st.tuples(CALL, st.sampled_from(["", "drain", "summary"])), max_size=6))
@settings(max_examples=80)
def test_edges_equal_an_independent_count(calls):
    for history in (0, 1_000):
        time = FakeTime()
        application = Application(time)
        log = CallLog(LogSettings(max_history=history), time.clock)
        # Only the time of most calls is kept, as after slower calls.
        log.recorder.store.rank_after(SlowerCallsSeen(4.0))
        drained = []
        log.attach(application.api)
        for call, asked in calls:
            with contextlib.suppress(ValueError):
                application.make(call)
            if asked == "drain":
                drained.append(log.drain().profile)
            elif asked:
                log.recorder.store.summary()
        log.detach(application.api)
        profile = merge([*drained, log.profile()])
        assert edges_of(profile) == {
            pair: (number, application.seconds[pair]) for pair, number in application.calls.items()
        }
        counted = Counter(application.alone)
        for one in profile.edges:
            counted[one.child.handler] += one.calls
        assert counted == {name.handler: one.calls for name, one in profile.called().items()}


@pytest.fixture(params=[0, 1_000], ids=["no history", "history"])
def log_of(request):
    def collected(api):
        return collecting(api, max_history=request.param)

    return collected


@pytest.fixture
def api():
    sw = Switcher("api")

    @sw
    def inner(number):
        if number < 0:
            raise ValueError(number)
        return number

    @sw
    def outer(number):
        return [inner(one) for one in range(number)]

    return sw


def counted(log):
    return {pair: calls for pair, (calls, _) in edges_of(log.profile()).items()}


def test_a_handler_that_calls_itself(api, log_of):
    @api
    def countdown(number):
        return countdown(number - 1) if number else inner_most(0)

    inner_most = dispatch(api, "inner")
    with log_of(api) as log:
        countdown(30)
    assert counted(log) == {("countdown", "countdown"): 30, ("countdown", "inner"): 1}


def test_an_unrecorded_call_is_skipped(api, log_of):
    def helper():
        return dispatch(api, "inner")(1)

    @api
    def page():
        return helper()

    with log_of(api) as log:
        page()
    assert counted(log) == {("page", "inner"): 1}


def test_calls_that_fail(api, log_of):
    @api
    def page():
        with contextlib.suppress(ValueError):
            dispatch(api, "inner")(-1)
        raise KeyError

    with log_of(api) as log:
        for _ in range(3):
            with pytest.raises(KeyError):
                page()
    assert counted(log) == {("page", "inner"): 3}


@pytest.mark.parametrize("calls", [FOLD_AT // 2, 3 * FOLD_AT])
def test_threads(api, log_of, calls):
    outer = dispatch(api, "outer")
    profiles = []
    with log_of(api) as log:
        threads = [
            threading.Thread(target=lambda: [outer(3) for _ in range(calls)]) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            profiles.append(log.drain().profile)
        for thread in threads:
            thread.join()
        profiles.append(log.drain().profile)
    for profile in profiles:
        edges = edges_of(profile)
        inner = profile.handlers[HandlerName("api", "inner")]
        # Each batch holds both a call and its edge, or neither.
        number, seconds = edges.get(("outer", "inner"), (0, 0.0))
        assert (number, seconds) == (inner.calls, pytest.approx(inner.total_time))
    assert edges_of(merge(profiles))["outer", "inner"][0] == 6 * calls * 3


def test_tasks_that_run_at_once(api, log_of):
    @api
    async def leaf(number):
        await asyncio.sleep(0)
        return dispatch(api, "inner")(number)

    @api
    async def root():
        return await asyncio.gather(*(leaf(number) for number in range(20)))

    with log_of(api) as log:
        asyncio.run(root())
    assert counted(log) == {("root", "leaf"): 20, ("leaf", "inner"): 20}


def test_a_task_that_goes_on_after_its_caller(api, log_of):
    """The task counts for the call that started it, and so do the calls that it makes."""

    @api
    async def later():
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def plain():
        await asyncio.sleep(0)
        dispatch(api, "inner")(1)

    @api
    async def start():
        return [asyncio.create_task(later()), asyncio.create_task(plain())]

    async def main():
        for task in await start():
            await task

    with log_of(api) as log:
        asyncio.run(main())
    assert counted(log) == {("start", "later"): 1, ("start", "inner"): 1}


def test_a_generator_counts_for_the_call_that_runs_its_first_step(api, log_of):
    @api
    def numbers(count):
        yield from range(count)

    @api
    def make(count):
        return [numbers(count)]

    @api
    def first(made):
        return next(made)

    @api
    def rest(made):
        return list(made)

    with log_of(api) as log:
        (made,) = make(5)
        first(made)
        rest(made)
    assert counted(log) == {("first", "numbers"): 1}


def test_calls_after_a_coroutine_that_another_thread_finished(api, log_of):
    @types.coroutine
    def pause():
        yield

    @api
    async def work():
        await pause()

    @api
    def later(): ...

    def finish(coroutine):
        with contextlib.suppress(StopIteration):
            coroutine.send(None)

    def run():
        started = work()
        started.send(None)
        thread = threading.Thread(target=finish, args=(started,))
        thread.start()
        thread.join()
        later()

    with log_of(api) as log:
        contextvars.copy_context().run(run)
    assert counted(log) == {}
    assert [log.stats(name)["calls"] for name in ("work", "later")] == [1, 1]


def test_a_copied_context_in_another_thread(api, log_of):
    @api
    async def start():
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(dispatch(api, "outer"), 2))
        thread.start()
        thread.join()

    with log_of(api) as log:
        asyncio.run(start())
    assert counted(log) == {("start", "outer"): 1, ("outer", "inner"): 2}


def test_callers_that_come_and_go_keep_nothing(log_of):
    api = Switcher("api")

    @api
    def inner(number):
        return number

    with log_of(api) as log:
        for number in range(_CALLERS + 100):
            api(f"caller{number}")(lambda: inner(1))
            dispatch(api, f"caller{number}")()
        dispatch(api, "caller0")()
        edges = counted(log)
        probes = [one for one in log.recorder._probes if one.name.handler == "inner"]
        assert all(len(one.inside) <= _CALLERS for one in probes)
    assert len(edges) == _CALLERS + 100
    assert edges["caller0", "inner"] == 2
    assert edges["caller1", "inner"] == 1


A, B, C = (HandlerName("api", name) for name in "abc")
EDGES = st.lists(
    st.builds(
        Edge,
        st.sampled_from([A, B, C]),
        st.sampled_from([A, B, C]),
        st.integers(1, 9),
        st.sampled_from([0.0, 0.5, 2.0]),
    ),
    max_size=6,
    unique_by=lambda one: one[:2],
)


@given(st.lists(EDGES.map(tuple), max_size=5))
def test_profiles_merge_their_edges(parts):
    profiles = [Profile(edges=edges) for edges in parts]
    merged = merge(profiles)
    assert merged.edges == merge(reversed(profiles)).edges
    assert sum(one.calls for one in merged.edges) == sum(
        one.calls for some in parts for one in some
    )
    assert [-one.total_time for one in merged.edges] == sorted(
        -one.total_time for one in merged.edges
    )
    for profile in (*profiles, merged):
        assert unpack(pack(profile)).edges == profile.edges
        assert Profile.from_dict(profile.to_dict()) == profile


def test_a_profile_of_called_handlers_and_others_packs_their_edges(api, log_of):
    with log_of(api) as log:
        dispatch(api, "outer")(3)
        profile = log.profile()
    assert profile.edges
    assert unpack(pack(profile)).edges == profile.edges


def test_packed_edges_do_not_repeat_the_names_of_called_handlers():
    called = HandlerStats()
    called.add([1.0], [bucket_of(1.0)], 0.0)
    profile = Profile({A: called, B: called, C: HandlerStats()}, edges=(Edge(A, B, 1, 0.5),))
    assert [pack(profile).count(f'"{name.handler}"') for name in (A, B, C)] == [1, 1, 1]
    assert unpack(pack(profile)).edges == profile.edges


def test_a_report_of_the_first_version_has_no_edges():
    written = Profile(edges=(Edge(A, B, 1, 0.5),)).to_dict()
    assert written["edges"] == [
        {"parent": A._asdict(), "child": B._asdict(), "calls": 1, "total_time": 0.5}
    ]
    del written["edges"]
    assert Profile.from_dict(written).edges == ()


@pytest.mark.parametrize("damage", [{"calls": -1}, {"total_time": "1"}, {"parent": None}])
def test_damaged_edges_are_refused(damage):
    written = Profile(edges=(Edge(A, B, 1, 0.5),)).to_dict()
    written["edges"][0].update(damage)
    with pytest.raises(ValueError, match="damaged"):
        Profile.from_dict(written)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="only events keep just the time of calls")
def test_arguments_are_not_kept_alive(api):
    import weakref

    class Order: ...

    @api
    def take(order):
        return None

    @api
    def page(order):
        take(order)

    with collecting(api, max_history=0, serialize=False, objects="type") as log:
        log.recorder.store.rank_after(SlowerCallsSeen(60))
        page(None)
        log.clear()  # from now on only the time of such calls is kept
        order = Order()
        reference = weakref.ref(order)
        page(order)
        del order
        assert reference() is None
        assert counted(log) == {("page", "take"): 1}
