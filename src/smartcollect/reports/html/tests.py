"""The tests of a run as compact data for the script of the HTML report."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

from ...names import HandlerName
from ...profiles.parts import Phase
from ...profiles.profile import Profile
from ...text import printable
from ..strict_json import json_text
from .cells import Labels

PHASES = ("setup", "call", "teardown")


def outcome(phases: Mapping[str, Phase]) -> str:
    """Return the outcome of a test as pytest reports it, such as ``passed`` or ``error``.

    Example:
        >>> outcome({"setup": Phase("passed", 0.1, {}), "call": Phase("failed", 0.1, {})})
        'failed'
    """
    for when, phase in phases.items():
        if phase.outcome == "failed":
            return "failed" if when == "call" else "error"
    ended = [phase.outcome for phase in phases.values() if phase.outcome != "passed"]
    return ended[-1] if ended else "passed"


def packed(profile: Profile, labels: Labels) -> str:
    """Return the tests as JSON, compressed with gzip and encoded as base64.

    Args:
        profile: the profile of the run.
        labels: the names of handlers in the report.

    Returns:
        An object with the lists ``handlers``, ``files`` and ``words``, to which numbers elsewhere
        refer by index, and ``tests``. A test is a list: its file, the rest of its node id, its
        outcome, and its phases. A phase is a flat list: its name, outcome and duration, then the
        handler, calls, errors and time of each handler that it called. Times are microseconds with
        three significant digits.
    """
    names = _Numbered()
    files = _Numbered()
    words = _Numbered()
    tests: list[Any] = []
    for test, phases in profile.tests.items():
        file, colons, rest = test.partition("::")
        row = [files[printable(file)], printable(colons + rest), words[outcome(phases)]]
        for when in sorted(phases, key=_order):
            phase = phases[when]
            flat = [words[when], words[phase.outcome], _micro(phase.duration)]
            for name, used in phase.handlers.items():
                flat += names[labels[name]], used.calls, used.errors, _micro(used.total_time)
            row.append(flat)
        tests.append(row)
    members = {"handlers": [*names], "files": [*files], "words": [*words], "tests": tests}
    text = json_text(members, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


class _Numbered(dict[str, int]):
    """Consecutive numbers of texts, assigned on first use."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]


def _order(when: str) -> int:
    return PHASES.index(when) if when in PHASES else len(PHASES)


def _micro(seconds: float) -> float:
    value = float(f"{seconds * 1e6:.3g}")
    return int(value) if value.is_integer() else value


def used_by_test(profile: Profile) -> dict[HandlerName, list[tuple[float, int, int, str]]]:
    """Return the tests that called each handler.

    Returns:
        For each handler and test, all phases together: seconds, calls, errors, node id.
    """
    found: dict[HandlerName, list[tuple[float, int, int, str]]] = {}
    for test, phases in profile.tests.items():
        spent: dict[HandlerName, tuple[float, int, int]] = {}
        for phase in phases.values():
            for name, used in phase.handlers.items():
                time, calls, errors = spent.get(name, (0.0, 0, 0))
                spent[name] = time + used.total_time, calls + used.calls, errors + used.errors
        for name, (time, calls, errors) in spent.items():
            found.setdefault(name, []).append((time, calls, errors, test))
    return found
