"""Code as users write it, for the type checker. It is never run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from smartswitch import Switcher

from smartcollect import (
    Batch,
    CallLog,
    CollectPlugin,
    Delivery,
    Entry,
    HandlerName,
    HandlerStats,
    Profile,
    Statistics,
    Stats,
    Subscription,
    collecting,
    merge,
)


class Printer:
    def write(self, batch: Delivery) -> None:
        print(batch.profile, batch.dropped)


def library(switcher: Switcher, path: Path) -> None:
    plugin = CollectPlugin(
        max_history=10,
        serialize=True,
        sample_rate=0.5,
        serializers={Decimal: str},
        redact=["pin"],
        method_config={"process": {"enabled": False}},
    )
    assert_type(plugin.history(last=1), list[Entry])
    assert_type(plugin.slower_than("100ms", handler="process"), list[Entry])
    assert_type(plugin.history()[0]["elapsed"], float)
    assert_type(plugin.stats("process")["error_rate"], float)
    assert_type(plugin.stats(), Stats)
    assert_type(plugin.stats("process"), Statistics)
    assert_type(plugin.stats("process")["calls"], int)
    assert_type(plugin.stats().sort_by("calls", reverse=True), list[dict[str, Any]])
    assert_type(plugin.uncalled(), list[str])
    assert_type(plugin.recording_failures, int)
    plugin.export(path)
    plugin.export("log.csv", format="csv")
    drained = plugin.drain()
    assert_type(drained, Batch)
    assert_type(drained.history, list[Entry])
    assert_type(drained.calls[0]["thread"], int)
    drained.export(path)
    assert_type(plugin.subscribe(Printer(), every=5), Subscription)
    plugin.subscribe(print)  # type: ignore[arg-type]
    plugin.attach(switcher)
    plugin.detach(switcher)
    plugin.attach("shop.database:Connection.*")
    with collecting("shop", "!shop.tests", switcher, max_history=1) as log:
        assert_type(log, CallLog)
    profile = merge([plugin.profile(), log.profile()])
    assert_type(profile, Profile)
    for name, stats in profile.called().items():
        assert_type(name, HandlerName)
        assert_type(stats, HandlerStats)


def test_shop(collect: CallLog) -> None:
    collect.assert_called("process", times=2)
    collect.assert_none_slower_than("100ms", handler="process")
    collect.assert_not_called("other")
    collect.assert_no_errors()
    collect.assert_budget("users.*", calls=3, max_time="100ms", p95_time=0.05)
    collect.assert_budget("users.*", calls=[3])  # type: ignore[arg-type]
    collect.history(last="1")  # type: ignore[arg-type]
