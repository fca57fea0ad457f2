"""What measured times depend on: the machine and the Python that they were taken with."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType


def fingerprint() -> dict[str, str]:
    """What tells machines apart whose times cannot be compared.

    Returns:
        ``cpu`` (its model), ``cpus`` (how many), ``python`` (implementation and minor version) and
        ``platform`` (system and architecture).

    Example:
        >>> sorted(fingerprint())
        ['cpu', 'cpus', 'platform', 'python']
    """
    version = ".".join(platform.python_version_tuple()[:2])
    return {
        "cpu": _cpu(),
        "cpus": str(os.cpu_count() or 1),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {version}",
    }


MIXED = "mixed"
"""Of a run whose shards ran on different machines, the key that tells how these differ."""


def mixed(machines: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return the machine of a run whose shards ran on some.

    Args:
        machines: at least one, as `fingerprint` tells them.

    Example:
        >>> dict(mixed([{"cpu": "one", "cpus": "2"}, {"cpu": "other", "cpus": "2"}]))
        {'cpus': '2', 'mixed': 'cpu: one, other'}
    """
    told = {
        key: sorted({machine.get(key, "not told") for machine in machines})
        for key in sorted({key for machine in machines for key in machine})
    }
    agreed = {key: values[0] for key, values in told.items() if len(values) == 1}
    apart = [f"{key}: {', '.join(values)}" for key, values in told.items() if len(values) > 1]
    return MappingProxyType({**agreed, MIXED: "; ".join(apart)} if apart else agreed)


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return how the machines of two runs differ, a text for each difference.

    A mixed machine is not even like itself: which test runs on which one differs from run to run.

    Example:
        >>> differences({"cpus": "2"}, {"cpus": "4"})
        ('cpus: 2 then, 4 now',)
    """
    shards = [
        f"the shards of {which} run ran on different machines ({machine[MIXED]})"
        for which, machine in (("the earlier", then), ("this", now))
        if MIXED in machine
    ]
    return tuple(shards) or tuple(
        f"{key}: {then.get(key, 'not told')} then, {now.get(key, 'not told')} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    )


def _cpu() -> str:
    # `platform.processor()` is empty or the architecture alone on Linux.
    try:
        known = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        known = ""
    model = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()
