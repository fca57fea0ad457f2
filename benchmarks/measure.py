"""Times things in turns, and compares them round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Timed = Callable[[], float]
"""Does something once, and returns the seconds that it took, or the bytes."""


class Row(NamedTuple):
    """One line of the results.

    Attributes:
        measure: what is compared.
        ratio: the median of the rounds.
        low, high: the quartiles.
        goal: what the ratio is not to exceed, or not to fall below where ``at_least``.
        detail: the numbers behind it, as text.
        at_least: whether a larger ratio is the better one.
    """

    measure: str
    ratio: float
    low: float
    high: float
    goal: float
    detail: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


def calls(function: Callable[[int], object], number: int) -> Timed:
    """Seconds for each of ``number`` calls of ``function`` with a small argument."""

    def timed() -> float:
        numbers = range(number)
        start = time.perf_counter()
        for one in numbers:
            function(one)
        return (time.perf_counter() - start) / number

    return timed


def once(function: Callable[[], object]) -> Timed:
    """Seconds of one call of ``function``."""

    def timed() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return timed


def in_turns(candidates: Mapping[str, Timed], rounds: int) -> dict[str, list[float]]:
    """What each of ``candidates`` takes in each round.

    A machine is now faster and now slower; what is measured in the same round met the same
    machine. Every second round runs them in the opposite order.
    """
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            seconds = candidates[name]()
            if number:  # the first one warms up
                taken[name].append(seconds)
    return taken


def net(taken: Mapping[str, list[float]], name: str, plain: str) -> list[float]:
    """Of each round, what ``name`` took more than ``plain``."""
    return [whole - bare for whole, bare in zip(taken[name], taken[plain], strict=True)]


def row(
    measure: str,
    ours: list[float],
    theirs: list[float],
    goal: float,
    unit: str = "ns",
    at_least: bool = False,
) -> Row:
    """The ratio of ``ours`` to ``theirs``, round by round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    scale = {"ns": 1e9, "ms": 1e3, "s": 1, "bytes": 1, "calls/s": 1}[unit]
    detail = " / ".join(f"{statistics.median(one) * scale:,.4g}" for one in (ours, theirs))
    return Row(measure, middle, low, high, goal, f"{detail} {unit}", at_least)
