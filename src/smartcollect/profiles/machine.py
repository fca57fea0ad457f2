"""What measured times depend on: the machine and the Python that they were taken with."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


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


def _cpu() -> str:
    # `platform.processor()` is empty or the architecture alone on Linux.
    try:
        known = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        known = ""
    model = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()
