"""StatsD: exact counts at a real server, lines for DogStatsD, no failures for callers."""

from __future__ import annotations

import json
import os
import re
import socket
import time as real_time
from collections import Counter

import pytest
from services import free_port, program, serving
from smartswitch import Switcher

from smartcollect import CallLog, HandlerName
from smartcollect.sinks.statsd import StatsD
from smartcollect.storage.rows import Call

FOREVER = "1000min"  # no write is due by itself
HOSTILE = [
    "plain",
    "a:b|c@d#e,f;g=h/i",
    "two\nlines|c",
    "\x00\x1b[31m",
    "\udc80lone",
    "größe 用户",
    "f.<locals>.g",
    "",
    "..",
    "n" * 5_000,
    "用" * 3_000,
]


class Server:
    """A socket that receives packets."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def packets(self):
        """Return the packets sent until now; over loopback they arrive at once."""
        taken = []
        while True:
            try:
                taken.append(self.socket.recv(65_536))
            except BlockingIOError:
                return taken

    def metrics(self):
        return read(self.packets())


def read(packets):
    """Parse packets of the DogStatsD protocol into values by name, type and tags."""
    metrics = {}
    for packet in packets:
        for line in packet.decode().split("\n"):
            name, rest = line.split(":", 1)
            values, kind, *more = rest.split("|")
            rate, tags = 1.0, ()
            for one in more:
                if one.startswith("@"):
                    rate = float(one[1:])
                else:
                    assert one.startswith("#")
                    tags = tuple(tag.split(":") for tag in one[1:].split(","))
            key = name, kind, tuple(value for _, value in tags)
            # The Agent truncates too.
            times = int(1 / rate)
            metrics.setdefault(key, Counter()).update(
                {float(value): times for value in values.split(":")}
            )
    return metrics


@pytest.fixture
def server():
    server = Server()
    yield server
    server.socket.close()


@pytest.fixture
def called():
    """A log, and a function that adds calls of handlers with any name to it."""
    log = CallLog()

    def called(switcher, handler, *seconds):
        name = HandlerName(switcher, handler)
        for elapsed in seconds:
            log.recorder.store.add(Call(name, 0.0, elapsed, (), {}, None, 0))
        return log

    return called


@pytest.fixture
def statsd(tmp_path):
    """The original StatsD server: its UDP port, and a function that queries its numbers."""
    command = program("statsd")
    port, console = free_port(socket.SOCK_DGRAM), free_port()
    config = {
        "address": "127.0.0.1",
        "port": port,
        "mgmt_address": "127.0.0.1",
        "mgmt_port": console,
        "flushInterval": 3_600_000,
        "backends": ["./backends/console"],
    }
    (tmp_path / "config.js").write_text(json.dumps(config), encoding="utf-8")

    def ask(what):
        with socket.create_connection(("127.0.0.1", console), timeout=10) as client:
            client.sendall(what.encode())
            answer = b""
            while b"END" not in answer:
                answer += client.recv(65_536)
        pairs = re.findall(r"'?([\w.-]+)'?: (-?[\d.e+-]+)", answer.decode())
        return {name: float(value) for name, value in pairs}

    def asked(what, expected):
        """Query until the server has received the last packet."""
        until = real_time.monotonic() + 20
        while expected not in (told := ask(what)) and real_time.monotonic() < until:
            real_time.sleep(0.02)
        assert told.get("statsd.bad_lines_seen", 0) == 0
        return {name: value for name, value in told.items() if not name.startswith("statsd.")}

    command = [command, str(tmp_path / "config.js")]
    with (
        serving(command, console, tmp_path / "statsd.log"),
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        until = real_time.monotonic() + 20
        while "statsd.ready" not in ask("counters") and real_time.monotonic() < until:
            client.sendto(b"statsd.ready:1|c", ("127.0.0.1", port))
            real_time.sleep(0.02)
        yield port, asked


def test_the_original_server_has_the_exact_numbers(statsd, time):
    port, asked = statsd
    sw = Switcher("api").plug("collect")

    @sw
    def process(seconds):
        time.sleep(seconds)
        if seconds == 1:
            raise ValueError("one")

    subscription = sw.collect.subscribe(StatsD(port=port), FOREVER)
    for _ in range(2):
        for _ in range(50):
            process(0.25)
            process(0.5)
        with pytest.raises(ValueError, match="one"):
            process(1)
        subscription.flush()
        time.sleep(10)
    subscription.close()
    sentinel(port)
    assert asked("counters", "sentinel") == {
        "smartcollect.api.process.calls": 202,
        "smartcollect.api.process.errors": 2,
        "sentinel": 1,
    }
    gauges = asked("gauges", "smartcollect.api.process.max_ms")
    assert gauges == {
        "smartcollect.api.process.p50_ms": pytest.approx(500, rel=0.02),
        "smartcollect.api.process.p95_ms": pytest.approx(500, rel=0.02),
        "smartcollect.api.process.p99_ms": pytest.approx(500, rel=0.02),
        "smartcollect.api.process.max_ms": 1_000,
    }


def sentinel(port):
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"sentinel:1|c", ("127.0.0.1", port))


def test_the_original_server_leaves_names_unchanged(statsd, server, called):
    port, asked = statsd
    for name in HOSTILE:
        log = called(name, name, 0.1)
    batch = log.drain()
    StatsD(port=server.port).write(batch)
    StatsD(port=port).write(batch)
    sentinel(port)
    told = asked("counters", "sentinel")
    assert {name for name, kind, _ in server.metrics() if kind == "c"} == told.keys() - {"sentinel"}
    assert sum(value for name, value in told.items() if name.endswith(".calls")) == len(HOSTILE)


def test_tags_and_a_distribution_with_every_call(server, called):
    called("shop", "users.list", *[0.001] * 3, *[0.1] * 49, *[0.2] * 3, 10.0, 0.0)
    log = called("shop", "größe", 0.5)
    StatsD(port=server.port, tags=True).write(log.drain())
    metrics = server.metrics()
    tags = "shop", "users.list"
    assert metrics["smartcollect.calls", "c", tags] == {57: 1}
    assert metrics["smartcollect.errors", "c", tags] == {0: 1}
    assert metrics["smartcollect.max_ms", "g", tags] == {10_000: 1}
    assert metrics["smartcollect.calls", "c", ("shop", "größe")] == {1: 1}
    distribution = metrics["smartcollect.duration_ms", "d", tags]
    expected = {1: 3, 100: 49, 200: 3, 10_000: 1, 0: 1}
    for (value, times), (middle, calls) in zip(
        sorted(distribution.items()), sorted(expected.items()), strict=True
    ):
        assert value == pytest.approx(middle, rel=1 / 64)
        assert times == calls


def test_a_server_that_truncates_counts_each_call(server, called):
    counts = [*range(1, 300), 93 * 1_001]
    for number in counts:
        log = called("api", f"h{number}", *[0.1] * number)
    StatsD(port=server.port, tags=True).write(log.drain())
    metrics = server.metrics()
    told = {
        int(tags[1][1:]): sum(values.values())
        for (name, _, tags), values in metrics.items()
        if name == "smartcollect.duration_ms"
    }
    assert told == {number: number for number in counts}


@pytest.mark.parametrize("tags", [False, True])
def test_no_packet_is_over_the_limit_and_every_call_counts(server, called, tags):
    for name in HOSTILE:
        log = called(name, name, *(1.01**number / 1e6 for number in range(1_500)))
    StatsD(port=server.port, tags=tags, prefix="p" * 1_000).write(log.drain())
    packets = server.packets()
    assert max(map(len, packets)) <= 1_432
    assert max(map(len, packets)) > 1_300  # and they are well filled
    metrics = read(packets)
    calls = [values for (name, _, _), values in metrics.items() if name.endswith(".calls")]
    assert sum(value for values in calls for value in values.elements()) == 1_500 * len(HOSTILE)
    if tags:
        times = [values for (_, kind, _), values in metrics.items() if kind == "d"]
        assert sum(map(Counter.total, times)) == 1_500 * len(HOSTILE)


@pytest.mark.parametrize("tags", [False, True])
def test_handlers_with_the_same_name_count_together(server, called, tags):
    called("api", "a:b", *[0.1] * 99)
    called("api", "a|b", 2.0)
    log = called("api", "a\nb", 0.1)
    StatsD(port=server.port, tags=tags).write(log.drain())
    told = {name.rpartition(".")[2]: values for (name, *_), values in server.metrics().items()}
    assert told["calls"] == {101: 1}
    assert told["max_ms"] == {2_000: 1}
    (median,) = told["p50_ms"]
    assert median == pytest.approx(100, rel=0.02)


def test_prefixes(server, called):
    for prefix, start in (("", "api."), ("my shop.eu", "my_shop.eu.api.")):
        StatsD(port=server.port, prefix=prefix).write(called("api", "h", 0.1).drain())
        names = {name for name, *_ in server.metrics()}
        assert {f"{start}h.calls", f"{start}h.p95_ms"} < names
        assert all(name.startswith(start) for name in names)


def test_numbers_have_no_exponent(server, called):
    StatsD(port=server.port, tags=True).write(called("api", "h", 1e-9, 5e5, 123.456).drain())
    for line in b"\n".join(server.packets()).decode().split("\n"):
        assert re.fullmatch(r"[\w.]+(:\d+(\.\d+)?)+\|[cgd](\|@[\d.]+)?\|#[\w:,]+", line)


def test_an_unreachable_server_causes_no_failures(called):
    sink = StatsD(port=free_port(socket.SOCK_DGRAM))
    log = called("api", "h", 0.1)
    subscription = log.subscribe(sink, FOREVER)
    for _ in range(3):  # the refusal arrives after the first packet
        called("api", "h", 0.1)
        subscription.flush()
    assert (subscription.failures, subscription.dropped) == (0, 0)
    subscription.close()


def test_an_unknown_host_is_tried_again(server, called, monkeypatch, caplog):
    asked, real = [], socket.getaddrinfo

    def unknown(*args, **options):
        asked.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    log = called("api", "h")
    subscription = log.subscribe(StatsD("metrics.invalid", server.port), FOREVER)
    assert not asked  # the constructor must not block
    called("api", "h", 0.1, 0.2)
    subscription.flush()
    assert subscription.failures == 1
    assert "metrics.invalid" in caplog.text
    called("api", "h", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **o: real("127.0.0.1", *a, **o))
    subscription.close()
    assert server.metrics()["smartcollect.api.h.calls", "c", ()] == {2: 1, 1: 1}
    assert subscription.dropped == 0


def test_a_failed_batch_continues_where_it_failed(server, called, monkeypatch, caplog):
    class Failing(socket.socket):
        room = 2

        def sendto(self, *args):
            if not Failing.room:
                raise OSError(101, "Network is unreachable")
            Failing.room -= 1
            return super().sendto(*args)

    monkeypatch.setattr(socket, "socket", Failing)
    log = called("api", "h")
    subscription = log.subscribe(StatsD(port=server.port), FOREVER)
    for number in range(100):
        called("api", f"h{number}", 0.1)
    subscription.flush()
    assert subscription.failures == 1
    assert len(server.packets()) == 2
    Failing.room = 1_000
    subscription.flush()
    rest = server.metrics()
    assert all(sum(values.values()) == 1 for values in rest.values())
    assert 0 < sum(name.endswith(".calls") for name, *_ in rest) < 100
    subscription.flush()
    assert server.packets() == []
    subscription.close()


def test_an_ipv4_address_is_preferred(server, called, monkeypatch):
    real = socket.getaddrinfo

    def both(host, *args, **options):
        assert host == "localhost"
        v6 = real("::1", *args, **options)
        return v6 + real("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    StatsD("localhost", server.port).write(called("api", "h", 0.1).drain())
    assert server.packets()


def test_a_server_on_ipv6(called):
    try:
        server = Server(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("needs IPv6")
    StatsD("::1", server.port).write(called("api", "h", 0.1).drain())
    assert server.metrics()["smartcollect.api.h.calls", "c", ()] == {1: 1}
    server.socket.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_parent_and_child_send_their_own_calls(server, called):
    log = called("api", "h")
    subscription = log.subscribe(StatsD(port=server.port), FOREVER)
    called("api", "h", 0.1, 0.1)
    child = os.fork()
    if child == 0:
        called("api", "h", *[0.1] * 3)
        subscription.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    subscription.close()
    assert server.metrics()["smartcollect.api.h.calls", "c", ()] == {3: 1, 2: 1}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"host": 127}, TypeError, "host must be a str, not 127"),
        ({"host": ""}, ValueError, "host must not be ''"),
        ({"port": "8125"}, TypeError, "port.*'8125'"),
        ({"port": 0}, ValueError, "port must be from 1 to 65535, not 0"),
        ({"port": 70_000}, ValueError, "port must be from 1 to 65535, not 70000"),
        ({"prefix": None}, TypeError, "prefix must be a str, not None"),
        ({"tags": "yes"}, TypeError, "tags must be True or False, not 'yes'"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        StatsD(**arguments)
