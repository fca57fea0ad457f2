"""``StatsD``: what each interval came to, as StatsD and DogStatsD servers take it."""

from __future__ import annotations

import re
import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from math import nextafter
from weakref import WeakKeyDictionary

from ..checks import whole_number
from ..names import HandlerName
from ..profiles.profile import Profile
from ..storage.histogram import middle_of
from ..storage.statistics import HandlerStats
from .batch import Batch

_MAX_PACKET = 1_432  # what an Ethernet frame has room for, with the headers of any tunnel
_MAX_NAME = 190  # bytes; DogStatsD cuts what is longer than 200
_PATIENCE = 1.0  # seconds until a packet that the system does not take has failed
_HIGHEST_PORT = 65_535
# The original server removes all other characters from names, and so could make two names one.
_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.ASCII)
_NOT_IN_TAGS = re.compile(r"[^\w.-]")
_PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


class StatsD:
    """Sends what each interval came to to a StatsD server, for `CallLog.subscribe`.

    Of each handler that was called: the counters ``calls`` and ``errors``, and the gauges
    ``p50_ms``, ``p95_ms``, ``p99_ms`` and ``max_ms`` in milliseconds. They are named
    ``smartcollect.shop.users.list.calls``: the prefix, the switcher, the handler. A character that
    names of StatsD cannot have becomes ``_``. Handlers that come to one name by that count
    together, in all of their numbers.

    Packets have at most 1,432 bytes. A host name is looked up for each interval, in the thread that
    sends; of several addresses an IPv4 one is taken, since that is where StatsD servers listen. If
    no address is found or the system does not take a packet, the subscription tries again, with
    what is not sent yet.

    Args:
        host: the name or the address of the server, IPv4 or IPv6.
        port: its UDP port.
        prefix: what all names begin with; ``""`` for nothing.
        tags: send handler and switcher as tags, as DogStatsD takes them, and the times of all calls
            as the distribution ``duration_ms``.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value.

    Example:
        >>> import smartcollect
        >>> log = smartcollect.CallLog()
        >>> subscription = log.subscribe(StatsD(), every="10s")
        >>> subscription.close()
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8125,
        prefix: str = "smartcollect",
        tags: bool = False,
    ) -> None:
        for name, value, kind in (
            ("host", host, str),
            ("prefix", prefix, str),
            ("tags", tags, bool),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{name}: {value!r} is not a {kind.__name__}")
        if not host:
            raise ValueError("host: '' is not a host; pass a name or an address")
        if not 1 <= whole_number("port", port) <= _HIGHEST_PORT:
            raise ValueError(f"port: {port!r} is not a port; pass a number from 1 to 65535")
        self._host = host
        self._port = port
        self._prefix = f"{_cleaned(prefix, _NOT_IN_NAMES)}." if prefix else ""
        self._tags = tags
        # A batch that comes again goes on where it failed: nothing is counted twice.
        self._unsent: WeakKeyDictionary[Batch, deque[bytes]] = WeakKeyDictionary()

    def write(self, batch: Batch) -> None:
        """Send what a batch came to, or what is left of it since the last time.

        Raises:
            OSError: the host is not known, or a packet was not taken.
        """
        packets = self._unsent.get(batch)
        if packets is None:
            lines = (line.encode() for line in self._lines(batch.profile))
            packets = self._unsent[batch] = deque(_joined(lines, b"\n", _MAX_PACKET))
        try:
            self._send(packets)
        except OSError as error:
            error.add_note(f"The StatsD server is {self._host}, UDP port {self._port}.")
            raise

    def _send(self, packets: deque[bytes]) -> None:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        # It is not connected, or the answer that nobody listens would fail the next packet.
        with socket.socket(family, kind, protocol) as sender:
            sender.settimeout(_PATIENCE)
            while packets:
                sender.sendto(packets[0], address)
                packets.popleft()

    def _lines(self, profile: Profile) -> Iterator[str]:
        same_name: defaultdict[tuple[str, str], HandlerStats] = defaultdict(HandlerStats)
        for name, stats in profile.called().items():
            same_name[self._spelled(name)].merge(stats)
        for (start, end), stats in same_name.items():
            yield f"{start}calls:{stats.calls}|c{end}"
            yield f"{start}errors:{stats.errors}|c{end}"
            for gauge, share in _PERCENTILES.items():
                yield f"{start}{gauge}:{_milliseconds(stats.percentile(share))}|g{end}"
            yield f"{start}max_ms:{_milliseconds(stats.max_time)}|g{end}"
            if self._tags:
                yield from _distribution(f"{start}duration_ms", stats.histogram, end)

    def _spelled(self, name: HandlerName) -> tuple[str, str]:
        """Return what the lines of a handler begin and end with."""
        if self._tags:
            switcher, handler = (_cleaned(part, _NOT_IN_TAGS) for part in name)
            return self._prefix, f"|#switcher:{switcher},handler:{handler}"
        switcher, handler = (_cleaned(part, _NOT_IN_NAMES) for part in name)
        return f"{self._prefix}{switcher}.{handler}.", ""


def _distribution(name: str, histogram: Mapping[int, int], end: str) -> Iterator[str]:
    """Yield lines that tell the server how many calls took how long.

    Protocol 1.1 of DogStatsD packs values into one line, which have one sample rate: buckets with
    equally many calls make a line, and the server counts each value as often as the rate says.
    """
    by_calls: defaultdict[int, list[bytes]] = defaultdict(list)
    for bucket in sorted(histogram):
        by_calls[histogram[bucket]].append(_milliseconds(middle_of(bucket)).encode())
    for calls, values in by_calls.items():
        rate = f"|@{_sample_rate(calls)}" if calls > 1 else ""
        room = _MAX_PACKET - len(f"{name}:|d{rate}{end}".encode())
        for packed in _joined(values, b":", room):
            yield f"{name}:{packed.decode()}|d{rate}{end}"


def _sample_rate(calls: int) -> str:
    """Return the rate of which a server makes exactly ``calls``, also where it cuts off digits."""
    rate = 1 / calls
    if int(1 / rate) < calls:
        rate = nextafter(rate, 0)
    return _plain(repr(rate))


def _milliseconds(seconds: float) -> str:
    return _plain(f"{seconds * 1_000:.6g}")


def _plain(number: str) -> str:
    """Return a number without an exponent, which not every server knows."""
    return format(Decimal(number), "f")


def _cleaned(name: str, forbidden: re.Pattern[str]) -> str:
    """Return ``name`` without characters that mean something in a line, and bounded."""
    short = forbidden.sub("_", name).encode()[:_MAX_NAME].decode(errors="ignore")
    return ".".join(part or "_" for part in short.split("."))


def _joined(parts: Iterable[bytes], separator: bytes, room: int) -> Iterator[bytes]:
    """Yield ``parts``, as many together as there is room for; each one fits by itself."""
    joined = b""
    for part in parts:
        if joined and len(joined) + len(separator) + len(part) > room:
            yield joined
            joined = b""
        joined = joined + separator + part if joined else part
    if joined:
        yield joined
