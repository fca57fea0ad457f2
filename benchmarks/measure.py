"""Measurement in turns, and ratios round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Timed = Callable[[], float]
"""A function that does something once and returns the seconds it took, or bytes."""


class Row(NamedTuple):
    """One line of the results.

    Attributes:
        measure: a description of the two sides.
        ratio: the median ratio of the rounds.
        low, high: the quartiles.
        goal: the largest acceptable ratio or, with ``at_least``, the smallest.
        detail: the medians of both sides, as text.
        at_least: whether a larger ratio is better.
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
        """True if the goal is reached."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


def calls(function: Callable[[int], object], number: int) -> Timed:
    """Return a function that measures the seconds per call, over ``number`` calls."""

    def timed() -> float:
        numbers = range(number)
        start = time.perf_counter()
        for one in numbers:
            function(one)
        return (time.perf_counter() - start) / number

    return timed


def once(function: Callable[[], object]) -> Timed:
    """Return a function that measures the seconds of one call."""

    def timed() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return timed


def in_turns(candidates: Mapping[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Return the measurements of each candidate, one per round.

    The speed of a machine varies, so only measurements of the same round are comparable. Every
    second round runs the candidates in reverse order.
    """
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            seconds = candidates[name]()
            if number:  # the first round is a warm-up
                taken[name].append(seconds)
    return taken


def net(taken: Mapping[str, list[float]], name: str, plain: str) -> list[float]:
    """Return the time of ``name`` minus the time of ``plain``, for each round."""
    return [whole - bare for whole, bare in zip(taken[name], taken[plain], strict=True)]


def row(
    measure: str,
    ours: list[float],
    theirs: list[float],
    goal: float,
    unit: str = "ns",
    at_least: bool = False,
) -> Row:
    """Return a row for the ratios of ``ours`` to ``theirs``, round by round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    scale = {"ns": 1e9, "ms": 1e3, "s": 1, "bytes": 1, "calls/s": 1}[unit]
    detail = " / ".join(f"{statistics.median(one) * scale:,.4g}" for one in (ours, theirs))
    return Row(measure, middle, low, high, goal, f"{detail} {unit}", at_least)
