"""The context of a recorded call: its thread, task, parent, end and call site."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from smartswitch import Switcher

from smartcollect import CollectPlugin, collecting


@pytest.fixture
def api():
    return Switcher("api")


def traced(log):
    return {call["handler"]: call for call in log.drain().calls}


def test_calls_know_the_call_that_made_them(api):
    @api
    def leaf(number): ...

    @api
    def middle():
        leaf(1)
        leaf(2)

    @api
    def top():
        middle()

    with collecting(api) as log:
        top()
        leaf(3)
    calls = log.drain().calls
    first, second, third = (call for call in calls if call["handler"] == "leaf")
    by_name = {call["handler"]: call for call in calls}
    assert first["parent"] == second["parent"] == by_name["middle"]["id"] is not None
    assert by_name["middle"]["parent"] == by_name["top"]["id"] is not None
    assert by_name["top"]["parent"] is third["parent"] is third["id"] is None
    assert by_name["middle"]["id"] != by_name["top"]["id"]


def test_a_call_that_fails_knows_its_parent_too(api):
    @api
    def leaf():
        raise ValueError("no")

    @api
    def top():
        with pytest.raises(ValueError, match="no"):
            leaf()

    with collecting(api) as log:
        top()
    calls = traced(log)
    assert calls["leaf"]["parent"] == calls["top"]["id"] is not None
    assert calls["leaf"]["exception"]["type"] == "ValueError"


def test_calls_know_their_thread(api):
    @api
    def where(): ...

    with collecting(api) as log:
        where()
        thread = threading.Thread(target=where)
        thread.start()
        thread.join()
    here, there = (call["thread"] for call in log.drain().calls)
    assert (here, there) == (threading.get_ident(), thread.ident)


def test_coroutines_know_their_task(api):
    @api
    async def child(fails):
        await asyncio.sleep(0)
        if fails:
            raise ValueError("no")

    @api
    async def parent():
        first = asyncio.create_task(child(False), name="first")
        second = asyncio.create_task(child(True), name="second")
        await asyncio.gather(first, second, return_exceptions=True)

    async def main():
        asyncio.current_task().set_name("main")
        await parent()

    with collecting(api) as log:
        asyncio.run(main())
        alone = child(False)  # without an event loop
        alone.send(None)
        alone.close()
    calls = log.drain().calls
    top = next(call for call in calls if call["handler"] == "parent")
    tasks = {call["task"]: call["parent"] for call in calls if call["handler"] == "child"}
    assert tasks == {"first": top["id"], "second": top["id"], None: None}
    assert top["task"] == "main"


def test_a_generator_ends_after_it_began_and_ran_for_less(api, time):
    @api
    def numbers():
        for number in range(3):
            time.sleep(1)
            yield number

    with collecting(api) as log:
        for _ in numbers():
            time.sleep(10)
    (call,) = log.drain().calls
    assert call["elapsed"] == call["self_time"] == 3
    assert call["end"] - call["timestamp"] == 33


def test_a_plain_call_ends_when_it_has_run(api, time):
    @api
    def work():
        time.sleep(2)

    with collecting(api) as log:
        work()
    (call,) = log.drain().calls
    assert (call["end"] - call["timestamp"], call["elapsed"]) == (2, 2)


@pytest.mark.parametrize("how", ["attach", "plug"])
def test_call_sites_are_a_setting(how):
    api = Switcher("api")
    plugin = CollectPlugin(call_sites=True)
    if how == "plug":
        api.plug(plugin)

    @api
    def work(): ...

    if how == "attach":
        plugin.attach(api)
    work()  # here
    (call,) = plugin.history()
    file, _, line = call["call_site"].rpartition(":")
    assert file == __file__
    assert Path(file).read_text("utf-8").splitlines()[int(line) - 1] == "    work()  # here"
    plugin.configure.call_sites = False
    work()
    assert "call_site" not in plugin.history(last=1)[0]
    if how == "attach":
        plugin.detach(api)
