"""Layers around a callable, one for each log that records it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from ..values.functions import original_code
from .hot_path import layer
from .probe import UNWATCHED, Bound, Probe


def bound_for(probes: Iterable[Probe], original: Callable[..., Any]) -> Bound:
    """Return the `Bound` with which ``probes`` record calls of ``original``, innermost first."""
    target = _copy_of(original) if type(original) is FunctionType else original
    *inner, last = tuple(probes) or (UNWATCHED,)
    for probe in inner:
        target = layer(probe.bound(target))
    return last.bound(target)


def _copy_of(function: FunctionType) -> FunctionType:
    """Return an unwatched function that behaves the same."""
    copy = FunctionType(
        original_code(function.__code__).replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy
