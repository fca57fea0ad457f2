"""Memory stays flat with any kind of calls; ``SMARTCOLLECT_SOAK`` multiplies their number."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from contextlib import suppress

import pytest
from forkserver import unmeasured
from smartswitch import Switcher
from support import SOAK, dispatch

from smartcollect import collecting
from smartcollect.storage.tally import MAX_HANDLERS
from smartcollect.storage.times import Times

pytestmark = pytest.mark.twice

FLOODS = {
    "calls": (
        """
        @sw
        def work(number):
            return number

        def flood():
            for number in range(100_000):
                work(number)
        """
    ),
    "large payloads": (
        """
        @sw
        def work(text, listed, mapped, **more):
            if more:
                raise ValueError(text, listed)
            return [text, listed, mapped]

        def flood():
            for number in range(300):
                text = str(number) * 100_000
                listed = [text[:number]] * 100_000
                mapped = {text[:-1]: listed, "x": text + "y"}
                work(text, listed, mapped)
                work(text + "z", listed, mapped=mapped)
                try:
                    work(text, listed, mapped, more=text)
                except ValueError:
                    pass
        """
    ),
    "short-lived switchers": (
        """
        def flood():
            for number in range(2_000):
                short = Switcher(f"short{number}")
                child = Switcher("child", parent=short)

                def handler(value):
                    return value, short

                short("handler")(handler)
                child("handler")(lambda value: value)
                dispatch(short, "handler")(number)
                dispatch(short, "child.handler")(number)
                if number % 500 == 0:
                    gc.collect()
        """
    ),
    "instances": (
        """
        class Service:
            api = Switcher("service")

            def __init__(self):
                self.load = "x" * 10_000
                self.own = Switcher("own")
                self.own("close")(lambda: self.close())

            @api
            def use(self, value):
                return self

            def close(self):
                return self.load

        def flood():
            for number in range(2_000):
                service = Service()
                service.use(service)
                dispatch(Service.api, "use")(service, number)
                dispatch(service.own, "close")()
        """
    ),
    "names": (
        """
        @sw
        def work(*args, **kwargs):
            return kwargs

        def flood():
            short = Switcher("short")
            for number in range(300):
                work({f"{number}key" * 1_000: number}, **{f"{number}name" * 1_000: number})
                kind = type(f"Error{number}" * 100, (Exception,), {})
                short(f"fails{number}")(fail)
                try:
                    dispatch(short, f"fails{number}")(kind(number))
                except kind:
                    pass

        def fail(error):
            raise error
        """
    ),
}
SCRIPT = """
import gc
from smartswitch import Switcher
from smartcollect import collecting

def dispatch(sw, selector):
    return sw[selector] if hasattr(Switcher, "get") else sw(selector)

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

sw = Switcher("api")
{flood}
with collecting() as log:
    flood()
    flood()
    before = resident()
    for _ in range({rounds}):
        flood()
    grown = resident() - before
    assert log.stats()
print(grown)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("flood", FLOODS)
def test_resident_memory_stays_flat(flood):
    script = SCRIPT.format(flood=textwrap.dedent(FLOODS[flood]), rounds=3 * SOAK)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=unmeasured(), check=False)
    assert done.returncode == 0, done.stderr
    # Keeping the payloads, or an entry for each of the objects, would take far more.
    assert int(done.stdout) < 12_000_000


def test_too_many_handlers_count_together():
    sw = Switcher("api")
    with collecting(sw) as log:
        for number in range(MAX_HANDLERS + 50):
            sw(f"handler{number}")(lambda: None)
        for name in list(sw._methods):
            dispatch(sw, name)()
        assert sum(one["calls"] for one in log.stats().values()) == MAX_HANDLERS + 50
        assert log.stats("(handlers)")["calls"] >= 50


def test_handlers_that_come_and_go_leave_nothing_in_a_log_that_is_never_cleared():
    def alive():
        gc.collect()
        return sum(type(one) is Times for one in gc.get_objects())

    with collecting(max_history=0) as log:
        before = alive()  # the log watches handlers of other tests too
        for _ in range(500):
            short = Switcher("short")
            short("handler")(lambda: None)
            for _ in range(5):
                dispatch(short, "handler")()
        assert log.stats("handler")["calls"] == 2_500
        del short
        assert alive() - before < 100


@pytest.mark.parametrize("serialize", [True, False])
def test_arguments_live_no_longer_than_the_history(serialize):
    class Thing:
        def __init__(self):
            self.handler = None

    sw = Switcher("api")

    @sw
    def work(thing, fails=False):
        local = thing
        if fails:
            raise ValueError(local)
        return Thing()

    things = []
    with collecting(sw, max_history=10, serialize=serialize) as log:
        for fails in (False, True):
            thing = Thing()
            things.append(weakref.ref(thing))
            with suppress(ValueError):
                things.append(weakref.ref(work(thing, fails)))
            del thing
        gc.collect()
        alive = [one() is not None for one in things]
        assert alive == [not serialize] * 3
        if not serialize:
            log.clear()
            gc.collect()
            assert [one() for one in things] == [None] * 3
