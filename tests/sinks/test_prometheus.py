"""Prometheus metrics: exact numbers in both formats, also read by a real Prometheus."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import subprocess
import sys
import threading
import time as system
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import pytest
from services import free_port, program, serving
from smartswitch import Switcher

pytest.importorskip("prometheus_client")

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest as open_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from smartcollect import CallLog, collecting
from smartcollect.sinks.prometheus import Collector, buckets_between

DURATION = "smartcollect_call_duration_seconds"


class Scraped:
    """The samples in a text, by name and labels."""

    def __init__(self, text, parser=parse):
        self.samples = {}
        self.types = {}
        for family in parser(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, key
                self.samples[key] = sample.value

    def __call__(self, name, handler=None, switcher="shop", **labels):
        if handler is not None:
            labels |= {"handler": handler, "switcher": switcher}
        return self.samples.get((name, frozenset(labels.items())))

    def buckets(self, handler):
        """Return the number of calls below each bound."""
        return {
            float(dict(labels)["le"]): value
            for (name, labels), value in self.samples.items()
            if name == f"{DURATION}_bucket" and dict(labels)["handler"] == handler
        }


def scrape(*logs, **options):
    registry = CollectorRegistry()
    registry.register(Collector(*logs, **options))
    return Scraped(generate_latest(registry).decode())


@pytest.fixture
def shop(time):
    """A switcher whose handlers take the time that is passed to them."""
    shop = Switcher("shop").plug("collect")

    @shop
    def pay(seconds=0.0, error=None):
        time.sleep(seconds)
        if error is not None:
            raise error

    @shop
    def order(seconds, *payments):
        time.sleep(seconds)
        for payment in payments:
            pay(payment)

    @shop
    def cancel(): ...

    shop.pay, shop.order = pay, order
    return shop


def register(switcher, name):
    """Return a new handler with this name."""

    def handler(): ...

    handler.__name__ = name
    return switcher(handler)


def fail(call, *args):
    with pytest.raises(LookupError):
        call(*args)


def test_metrics_of_calls(shop):
    shop.order(0.5, 0.25, 0.125)
    fail(shop.pay, 1.0, LookupError())
    found = scrape(shop.collect)
    assert found("smartcollect_calls_total", "pay", outcome="ok") == 2
    assert found("smartcollect_calls_total", "pay", outcome="error") == 1
    assert found(f"{DURATION}_count", "pay") == 3
    assert found(f"{DURATION}_sum", "pay") == 1.375
    assert found(f"{DURATION}_sum", "order") == 0.875
    assert found("smartcollect_self_seconds_total", "order") == 0.5
    assert found(f"{DURATION}_bucket", "pay", le="1.0") == 2
    assert found(f"{DURATION}_bucket", "pay", le="2.0") == 3
    assert found(f"{DURATION}_bucket", "pay", le="+Inf") == 3


def test_a_call_on_a_bound_is_above_it(time):
    shop = Switcher("shop").plug("collect")
    times = {
        "on": 2.0**-10,
        "below": math.nextafter(2.0**-10, 0),
    }
    time.now = 0.0  # no rounding

    @shop
    def on():
        time.now = times["on"]

    @shop
    def below():
        time.now = times["below"]

    for handler in (on, below):
        time.now = 0.0
        handler()
    found = scrape(shop.collect)
    for le, counts in {
        "0.00048828125": (0, 0),
        "0.0009765625": (0, 1),
        "0.001953125": (1, 1),
    }.items():
        assert (
            found(f"{DURATION}_bucket", "on", le=le),
            found(f"{DURATION}_bucket", "below", le=le),
        ) == counts


def test_the_default_bounds(shop):
    shop.pay(0.1)
    bounds = list(scrape(shop.collect).buckets("pay"))
    powers = [2.0**exponent for exponent in range(-20, 6)]
    assert bounds == sorted([*powers, *(1.5 * power for power in powers[:-1]), math.inf])


def test_bounds_are_moved_to_the_nearest_bounds_of_the_recorder(shop):
    shop.pay(0.1)
    bounds = ["1s", 0.1, "100ms", 0.1001, 0.101, math.inf, "1.5 s"]
    found = scrape(shop.collect, buckets=bounds)
    assert list(found.buckets("pay")) == [0.099609375, 0.1015625, 1.0, 1.5, math.inf]
    assert list(scrape(shop.collect, buckets=()).buckets("pay")) == [math.inf]


@given(
    st.lists(st.floats(0, 100) | st.sampled_from([2.0**k for k in range(-21, 6)]), max_size=50),
    st.sampled_from([1, 2, 4, 32]),
)
def test_each_bucket_counts_the_times_below_its_bound(times, steps):
    from support import FakeTime

    clock = FakeTime()
    log = CallLog(clock=clock.clock)
    switcher = Switcher("shop")

    @switcher
    def pay(seconds):
        clock.now = seconds

    log.attach(switcher)
    for seconds in times:
        clock.now = 0.0
        pay(seconds)
    log.detach(switcher)
    bounds = buckets_between(2**-20, 32, steps)
    found = scrape(log, buckets=bounds).buckets("pay")
    assert list(found) == ([*bounds, math.inf] if times else [])
    for bound, count in found.items():
        assert count == sum(seconds < bound for seconds in times)


@pytest.mark.parametrize(
    ("buckets", "error", "named"),
    [
        ([1.0, 0], ValueError, "must be above zero, not 0"),
        ([-1.0], ValueError, "-1.0"),
        (["soon"], ValueError, "'soon'"),
        ([math.nan], ValueError, "nan"),
        ([None], TypeError, "None"),
        ("100ms", TypeError, "'100ms'"),
        (0.1, TypeError, "0.1"),
    ],
)
def test_bad_bounds(buckets, error, named):
    with pytest.raises(error, match=rf"^buckets\b.*{named}"):
        Collector(CallLog(), buckets=buckets)


@pytest.mark.parametrize("steps", [0, 3, 64, True, "2"])
def test_bad_numbers_of_steps(steps):
    with pytest.raises(ValueError, match=f"steps must be 1, .* or 32, not {steps!r}"):
        buckets_between("1ms", "1s", steps)


@pytest.mark.parametrize(
    ("low", "high", "named"),
    [
        (0, 1, "low must be above zero, not 0"),
        ("1s", "soon", "high.*'soon'"),
        (2, "1s", "low=2 must not be above high='1s'"),
    ],
)
def test_bad_spans(low, high, named):
    with pytest.raises(ValueError, match=named):
        buckets_between(low, high)


def test_adjacent_buckets_cover_the_span():
    assert buckets_between("1ms", "5ms") == (2**-10, 2**-9, 2**-8, 2**-7)
    assert buckets_between("1s", "1s") == (1.0,)
    finest = buckets_between("1ms", "1s", steps=32)
    assert (finest[0] <= 0.001, finest[-1]) == (True, 1.0)
    assert all(high / low <= 1 + 1 / 32 for low, high in itertools.pairwise(finest))


def test_what_is_not_a_log():
    with pytest.raises(TypeError, match="pass the logs"):
        Collector()
    with pytest.raises(TypeError, match="'api' is not a log"):
        Collector("api")


def test_a_handler_without_calls_has_zeros_and_no_buckets(shop):
    found = scrape(shop.collect)
    assert found("smartcollect_calls_total", "cancel", outcome="ok") == 0
    assert found("smartcollect_calls_total", "cancel", outcome="error") == 0
    assert found("smartcollect_self_seconds_total", "cancel") == 0
    assert not found.buckets("cancel")


def test_registering_reads_no_log(shop):
    collector = Collector(shop.collect)
    described = list(collector.describe())
    names = [metric.name for metric in collector.collect()]
    assert [metric.name for metric in described] == [*names, "smartcollect_unreadable_files"]
    assert not list(shop.collect.recorder.subscriptions)
    assert not any(metric.samples for metric in described[:4])
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector(shop.collect))
    registry.unregister(collector)
    registry.register(Collector(shop.collect))


def test_the_error_for_a_missing_library_says_what_to_install():
    script = (
        "import sys, smartcollect; from smartcollect import CallLog; CallLog()\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "sys.modules['prometheus_client'] = None\n"
        "import smartcollect.sinks.prometheus"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError")
    assert last.endswith("; install smartcollect[prometheus]")


def test_several_logs_are_added_up(shop, time):
    bank = Switcher("bank").plug("collect")

    @bank
    def pay(seconds):
        time.sleep(seconds)

    shop.pay(1.0)
    pay(2.0)
    found = scrape(shop.collect, bank.collect)
    assert found(f"{DURATION}_sum", "pay") == 1
    assert found(f"{DURATION}_sum", "pay", switcher="bank") == 2
    same = scrape(shop.collect, shop.collect)
    assert same(f"{DURATION}_sum", "pay") == 1
    with collecting(shop) as log:
        shop.pay(4.0)
    both = scrape(shop.collect, log)
    assert both(f"{DURATION}_sum", "pay") == 1 + 4 + 4
    assert both(f"{DURATION}_bucket", "pay", le="2.0") == 1


class Counted:
    """The sum of two logs of the shop, at each scrape."""

    def __init__(self, shop):
        self.logs = CallLog(clock=shop.clock), CallLog(clock=shop.clock)
        for log in self.logs:
            log.attach(shop)
        self.registry = CollectorRegistry()
        self.registry.register(Collector(*self.logs))

    def __call__(self, name="smartcollect_calls_total", **more):
        labels = {"switcher": "shop", "handler": "pay", **more}
        if name.startswith("smartcollect_calls"):
            labels["outcome"] = "ok"
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def counted(time):
    """Two logs that watch the same handler, with a fake clock; ``pay`` calls the handler."""
    shop = Switcher("shop")
    shop.clock = time.clock

    @shop
    def pay(seconds=0.0):
        time.sleep(seconds)

    counted = Counted(shop)
    counted.shop, counted.pay = shop, pay
    yield counted
    for log in counted.logs:
        log.detach(shop)


def test_a_sum_does_not_go_down_when_a_log_is_cleared(counted, time):
    first, second = counted.logs
    for _ in range(100):
        counted.pay(1.0)
    created = counted("smartcollect_calls_created")
    assert counted() == 200
    shown = []
    for clear in (first.clear, second.drain, first.clear, lambda: (first.clear(), second.clear())):
        time.sleep(1.0)
        clear()
        shown.append(counted())
        counted.pay(1.0)
        shown.append(counted())
        assert counted(f"{DURATION}_sum") == counted(f"{DURATION}_count") == shown[-1]
        assert counted(f"{DURATION}_bucket", le="2.0") == shown[-1]
        assert counted("smartcollect_self_seconds_total") == shown[-1]
    assert shown == [200, 202, 202, 204, 204, 206, 206, 208]
    assert counted("smartcollect_calls_created") == created
    assert counted(f"{DURATION}_created") == created


def test_a_sum_has_the_current_sample_rate(counted, time):
    first, _ = counted.logs
    counted.pay()
    assert counted("smartcollect_sample_rate") == 1.0
    first.recorder.change(replace(first.recorder.rules.settings, sample_rate=0.5))
    assert counted("smartcollect_sample_rate") == 0.5
    time.sleep(1.0)
    first.clear()
    assert counted("smartcollect_sample_rate") == 0.5
    first.recorder.change(replace(first.recorder.rules.settings, sample_rate=1.0))
    assert (counted("smartcollect_sample_rate"), counted()) == (1.0, 2)


def test_a_series_of_a_single_log_is_reset(counted, time):
    first, second = counted.logs
    own = register(counted.shop, "own")
    second.detach(counted.shop)
    third = register(counted.shop, "third")
    for handler in (counted.pay, own, third):
        handler()
    assert (counted(), counted(handler="own"), counted(handler="third")) == (1, 1, 1)
    time.sleep(1.0)
    first.clear()
    # The second log knows two of the three handlers, although it counted no call.
    assert (counted(), counted(handler="own"), counted(handler="third")) == (1, 1, 0)
    created = [
        counted("smartcollect_calls_created", handler=name) for name in ("own", "pay", "third")
    ]
    assert created == [created[0], created[0], first.recorder.store.since]
    # Earlier values of a single log are not added when a second log begins to feed the series.
    second.attach(counted.shop)
    third()
    assert counted(handler="third") == 2


def test_a_log_that_is_cleared_during_a_scrape(counted, time, monkeypatch):
    first, _ = counted.logs
    for _ in range(100):
        counted.pay()
    assert counted() == 200
    handlers = first.recorder.store.handlers

    def cleared():
        monkeypatch.undo()
        time.sleep(1.0)
        first.clear()
        return handlers()

    monkeypatch.setattr(first.recorder.store, "handlers", cleared)
    assert [counted(), counted()] == [200, 200]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_scrape_in_a_process_forked_during_a_scrape(counted, monkeypatch):
    counted.pay()
    first, _ = counted.logs
    handlers = first.recorder.store.handlers
    children = []

    def forked():
        monkeypatch.undo()
        children.append(os.fork())
        if not children[0]:
            thread = threading.Thread(target=counted, daemon=True)
            thread.start()
            thread.join(10)
            os._exit(thread.is_alive())
        return handlers()

    monkeypatch.setattr(first.recorder.store, "handlers", forked)
    assert counted() == 2
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


def test_a_cleared_log_has_a_new_start_time(shop, time):
    shop.pay(1.0)
    before = scrape(shop.collect)(f"{DURATION}_created", "pay")
    time.sleep(10.0)
    shop.collect.clear()
    shop.pay(0.5)
    found = scrape(shop.collect)
    assert found(f"{DURATION}_count", "pay") == 1
    for name in (f"{DURATION}_created", "smartcollect_self_seconds_created"):
        assert found(name, "pay") == before + 11
    assert found("smartcollect_calls_created", "pay", outcome="ok") == before + 11


def test_the_sample_rate_of_each_handler():
    shop = Switcher("shop").plug(
        "collect",
        sample_rate=0.5,
        method_config={"login": {"sample_rate": 1.0}, "health": {"enabled": False}},
    )
    for name in ("login", "health", "pay"):
        register(shop, name)
    found = scrape(shop.collect)
    rates = {name: found("smartcollect_sample_rate", name) for name in ("login", "health", "pay")}
    assert rates == {"login": 1.0, "health": 0.0, "pay": 0.5}
    shop.collect.configure.sample_rate = 0.25
    assert scrape(shop.collect)("smartcollect_sample_rate", "pay") == 0.25


def test_the_sample_rate_of_a_handler_no_longer_watched(shop):
    with collecting(shop, sample_rate=0.5) as log:
        pass
    assert scrape(log)("smartcollect_sample_rate", "pay") == 0.5


class Never:
    def write(self, batch):
        raise OSError("away")


def test_dropped_calls_stay_counted(shop, caplog):
    assert scrape(shop.collect)("smartcollect_dropped_total") == 0
    subscription = shop.collect.subscribe(Never(), "1000min", max_queue=2)
    for _ in range(10):
        shop.pay()
    assert shop.collect.stats("pay")["calls"] == 10
    assert scrape(shop.collect)("smartcollect_dropped_total") == 8
    subscription.close()
    del subscription
    assert scrape(shop.collect)("smartcollect_dropped_total") == 10
    shop.collect.clear()
    assert scrape(shop.collect)("smartcollect_dropped_total") == 10


HOSTILE = [
    'say "hi"',
    "two\nlines",
    "back\\slash",
    "\ud800",
    "nul\0",
    "\r",
    "用户",
    "a\\nb",
    "a\nb",
]


@pytest.fixture
def hostile():
    """A log whose handlers have hostile names."""
    shop = Switcher('the "shop"').plug("collect")
    for name in HOSTILE:
        register(shop, name)()
    return shop.collect


def test_hostile_names(hostile):
    found = scrape(hostile)
    expected = {'say "hi"', "two\\nlines", "back\\slash", "\\ud800", "nul\\x00", "\\r", "用户"}
    for name in expected:
        assert found("smartcollect_calls_total", name, 'the "shop"', outcome="ok") == 1
    # Two names that are printed alike.
    assert found("smartcollect_calls_total", "a\\nb", 'the "shop"', outcome="ok") == 2


def test_both_formats_are_equal_and_valid(shop, hostile):
    shop.order(0.5, 0.25)
    fail(shop.pay, 1.0, LookupError())
    registry = CollectorRegistry()
    registry.register(Collector(shop.collect, hostile))
    plain = Scraped(generate_latest(registry).decode())
    strict = Scraped(open_metrics(registry).decode(), parse_open)
    assert plain.samples == strict.samples
    assert strict.types == {
        DURATION: "histogram",
        "smartcollect_calls": "counter",
        "smartcollect_self_seconds": "counter",
        "smartcollect_dropped": "counter",
        "smartcollect_sample_rate": "gauge",
    }


def test_promtool_finds_no_problems(shop, hostile):
    shop.order(0.5, 0.25)
    registry = CollectorRegistry()
    registry.register(Collector(shop.collect, hostile))
    promtool = program("promtool")
    text = generate_latest(registry)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


@contextmanager
def exposed(registry):
    """Serve a registry on a free port."""
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Prometheus:
    """A Prometheus that scrapes a port twice a second."""

    def __init__(self, port):
        self.port = port

    def ask(self, query):
        """Return the result of a query, by handler."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode(
            {"query": query}
        )
        with urllib.request.urlopen(url) as answer:
            result = json.load(answer)["data"]["result"]
        return {one["metric"].get("handler"): float(one["value"][1]) for one in result}

    def values(self, query):
        """Return the result once it is not empty: scrapes may be late on a busy machine."""
        return self.until(query, bool)

    def until(self, query, is_right, patience=10.0):
        """Return the answer once it is accepted."""
        until = system.monotonic() + patience
        while True:
            try:
                answer = self.ask(query)
            except urllib.error.HTTPError:  # not ready yet
                answer = None
            if answer is not None and is_right(answer):
                return answer
            if system.monotonic() > until:
                pytest.fail(f"{query}: {answer}")
            system.sleep(0.05)


@pytest.fixture
def prometheus(tmp_path):
    @contextmanager
    def started(target):
        command, port = program("prometheus"), free_port()
        config = tmp_path / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
                    "scrape_configs": [
                        {
                            "job_name": "shop",
                            "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
                        }
                    ],
                }
            )
        )
        with serving(
            [
                command,
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            port,
            tmp_path / "prometheus.log",
        ):
            yield Prometheus(port)

    return started


def test_prometheus_reads_exact_counts_and_close_quantiles(shop, hostile, prometheus):
    chance = random.Random(7)
    times = [chance.lognormvariate(math.log(0.02), 1.0) for _ in range(2_000)]
    registry = CollectorRegistry()
    bounds = buckets_between("5ms", "500ms", steps=32)
    registry.register(Collector(shop.collect, hostile, buckets=bounds))
    with exposed(registry) as port, prometheus(port) as server:
        server.until("smartcollect_calls_total", lambda found: found.get("pay") == 0)
        for seconds in times[1:]:
            shop.pay(seconds)
        fail(shop.pay, times[0], LookupError())
        server.until(f"{DURATION}_count", lambda found: found.get("pay") == 2_000)
        assert server.values('smartcollect_calls_total{outcome="ok"}').items() >= {
            ("pay", 1_999.0),
            ("用户", 1.0),
            ("nul\\x00", 1.0),
            ('say "hi"', 1.0),
        }
        assert server.values('smartcollect_calls_total{outcome="error"}')["pay"] == 1
        assert server.values(f"{DURATION}_sum")["pay"] == pytest.approx(sum(times))
        # Including the increase from zero before the first call.
        grown = 'increase(smartcollect_calls_total{outcome="ok"}[1m])'
        server.until(grown, lambda found: found.get("pay", 0) >= 1_999)
        speed = 'rate(smartcollect_calls_total{outcome="ok"}[1m])'
        server.until(speed, lambda found: found.get("pay", 0) > 0)
        for share in (0.5, 0.9, 0.99):
            exact = sorted(times)[math.ceil(share * len(times)) - 1]
            found = server.values(f"histogram_quantile({share}, {DURATION}_bucket)")["pay"]
            assert found == pytest.approx(exact, rel=0.035)
        # Clearing is a reset, not a decrease.
        shop.collect.clear()
        for _ in range(10):
            shop.pay(0.001)
        server.until(f"{DURATION}_count", lambda found: found.get("pay") == 10)
        grown = "sum(increase(smartcollect_calls_total[1m]))"
        server.until(grown, lambda found: found.get(None, 0) >= 2_009)
