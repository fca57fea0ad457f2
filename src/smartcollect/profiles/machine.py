"""The machine and the Python that times were measured on, and differences between machines."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType


def fingerprint() -> dict[str, str]:
    """Return the properties of this machine; times compare only if all of them are equal.

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
"""The key for the differences, if the shards of a run ran on different machines."""


def mixed(machines: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return the machine of a run with several shards.

    Properties that all shards share are kept. The others are listed under the key ``mixed``.

    Args:
        machines: the machine of each shard, at least one, as `fingerprint` returns it.

    Example:
        >>> dict(mixed([{"cpu": "one", "cpus": "2"}, {"cpu": "other", "cpus": "2"}]))
        {'cpus': '2', 'mixed': 'cpu: one, other'}
    """
    known = {
        key: sorted({machine.get(key, "unknown") for machine in machines})
        for key in sorted({key for machine in machines for key in machine})
    }
    agreed = {key: values[0] for key, values in known.items() if len(values) == 1}
    apart = [f"{key}: {', '.join(values)}" for key, values in known.items() if len(values) > 1]
    return MappingProxyType({**agreed, MIXED: "; ".join(apart)} if apart else agreed)


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the differences between the machines of two runs, one text each.

    A mixed machine differs even from itself: each run may assign tests to other machines.

    Example:
        >>> differences({"cpus": "2"}, {"cpus": "4"})
        ('cpus: 2 before, 4 now',)
    """
    shards = [
        f"the shards of {which} run ran on different machines ({machine[MIXED]})"
        for which, machine in (("the earlier", then), ("this", now))
        if MIXED in machine
    ]
    return tuple(shards) or tuple(
        f"{key}: {then.get(key, 'unknown')} before, {now.get(key, 'unknown')} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    )


def _cpu() -> str:
    # On Linux, `platform.processor()` is empty or just the architecture.
    try:
        known = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        known = ""
    model = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()
