"""``StatsD``: sends the statistics of each interval to a StatsD or DogStatsD server."""

from __future__ import annotations

import re
import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from math import nextafter
from weakref import WeakKeyDictionary

from ..checks import true_or_false, whole_number
from ..names import HandlerName
from ..profiles.profile import Profile
from ..storage.histogram import middle_of
from ..storage.statistics import HandlerStats
from .batch import Batch

_MAX_PACKET = 1_432  # fits into an Ethernet frame, with the headers of any tunnel
_MAX_NAME = 190  # bytes; DogStatsD cuts names after 200
_PATIENCE = 1.0  # seconds to wait for the system to accept a packet
_HIGHEST_PORT = 65_535
# The original server removes all other characters from names, which could make two names equal.
_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.ASCII)
_NOT_IN_TAGS = re.compile(r"[^\w.-]")
_PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


class StatsD:
    """A sink that sends the statistics of each interval to a StatsD server.

    Pass it to `CallLog.subscribe`. For each handler that was called, it sends the counters
    ``calls`` and ``errors``, and the gauges ``p50_ms``, ``p95_ms``, ``p99_ms`` and ``max_ms`` in
    milliseconds. A name consists of the prefix, the switcher, the handler and the statistic:
    ``smartcollect.shop.users.list.calls``. Characters that StatsD does not allow in names become
    ``_``. If two handlers get the same name, their calls are counted together.

    Packets have at most 1,432 bytes. The host name is looked up for each interval, in the sending
    thread. If it has several addresses, an IPv4 address is preferred, because StatsD servers listen
    there. If the lookup fails or the system does not accept a packet, the subscription tries again
    with the packets that were not sent yet.

    Args:
        host: the name or the IPv4 or IPv6 address of the server.
        port: its UDP port.
        prefix: the first part of all names; ``""`` for none.
        tags: true to send handler and switcher as DogStatsD tags, and the times of all calls as the
            distribution ``duration_ms``.

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
        for name, value in (("host", host), ("prefix", prefix)):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {value!r}")
        if not host:
            raise ValueError("host must not be ''; pass a name or an address")
        if not 1 <= whole_number("port", port) <= _HIGHEST_PORT:
            raise ValueError(f"port must be from 1 to 65535, not {port!r}")
        self._host = host
        self._port = port
        self._prefix = f"{_cleaned(prefix, _NOT_IN_NAMES)}." if prefix else ""
        self._tags = true_or_false("tags", tags)
        # A batch that comes again continues where it failed, so that nothing counts twice.
        self._unsent: WeakKeyDictionary[Batch, deque[bytes]] = WeakKeyDictionary()

    def write(self, batch: Batch) -> None:
        """Send the statistics of a batch, or the packets left over from the last attempt.

        Raises:
            OSError: the host is unknown, or the system did not accept a packet.
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
        # Not connected: otherwise, without a server, the reply to one packet fails the next.
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
        """Return the start and the end of the lines of a handler."""
        if self._tags:
            switcher, handler = (_cleaned(part, _NOT_IN_TAGS) for part in name)
            return self._prefix, f"|#switcher:{switcher},handler:{handler}"
        switcher, handler = (_cleaned(part, _NOT_IN_NAMES) for part in name)
        return f"{self._prefix}{switcher}.{handler}.", ""


def _distribution(name: str, histogram: Mapping[int, int], end: str) -> Iterator[str]:
    """Yield the lines of a distribution, with the number of calls in each bucket.

    Protocol 1.1 of DogStatsD allows several values with one sample rate in a line. So buckets with
    the same number of calls share a line, and the rate makes the server count each value that
    often.
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
    """Return a rate that servers turn into exactly ``calls``, also if they truncate."""
    rate = 1 / calls
    if int(1 / rate) < calls:
        rate = nextafter(rate, 0)
    return _plain(repr(rate))


def _milliseconds(seconds: float) -> str:
    return _plain(f"{seconds * 1_000:.6g}")


def _plain(number: str) -> str:
    """Return a number without an exponent, which some servers cannot parse."""
    return format(Decimal(number), "f")


def _cleaned(name: str, forbidden: re.Pattern[str]) -> str:
    """Return ``name`` without characters that the format forbids, cut to the maximum length."""
    short = forbidden.sub("_", name).encode()[:_MAX_NAME].decode(errors="ignore")
    return ".".join(part or "_" for part in short.split("."))


def _joined(parts: Iterable[bytes], separator: bytes, room: int) -> Iterator[bytes]:
    """Join as many ``parts`` at a time as fit into ``room`` bytes; each part alone must fit."""
    joined = b""
    for part in parts:
        if joined and len(joined) + len(separator) + len(part) > room:
            yield joined
            joined = b""
        joined = joined + separator + part if joined else part
    if joined:
        yield joined
