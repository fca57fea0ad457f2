"""Functions that are watched through events: their code objects, and who records them."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection, Sequence
from inspect import CO_COROUTINE
from types import CodeType, FunctionType
from typing import Any

from ..values.parameters import Parameters
from . import tool
from .nesting import dismiss
from .probe import Probe
from .steps import STEPPING, unfinished

observations: dict[int, weakref.ref[Observation]] = {}
"""Observations by the ``id`` of their code object, because a code object equals its copies.

The references are weak so that the garbage collector finds cycles through a function's probes.
"""
hots: dict[int, tuple[Any, Any, Parameters, bool]] = {}
"""The data for the start of a call, by the ``id`` of its code object.

The probe that records the call, its store, the parameters of the function, and whether the function
is a coroutine function. The probe is ``None`` if the start of the call needs the slow path.
"""


class Observation:
    """The calls of one code object.

    Args:
        code: the code object.

    Attributes:
        code: see above.
        is_coroutine: whether it is the code of a coroutine function.
        parameters: the parameters of the function.
        probes: the probes that record the calls, the innermost last.
        followed: observations of coroutines and generators that the function returned. Their steps
            belong to the calls that returned them.
    """

    __slots__ = ("__weakref__", "code", "followed", "is_coroutine", "parameters", "probes")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        # Handled like a plain call until it first waits, which most calls never do.
        self.is_coroutine = bool(code.co_flags & CO_COROUTINE)
        self.parameters = Parameters(code)
        self.followed: dict[int, Observation] = {}
        self.probes: tuple[Probe, ...] = ()
        self.record(())
        observations[id(code)] = weakref.ref(self)
        tool.listen(code, *(tool.STEPS if code.co_flags & STEPPING else tool.STEPS[:2]))

    def record(self, probes: Sequence[Probe]) -> None:
        """Let ``probes`` record the calls from now on."""
        gone = [probe for probe in self.probes if probe not in probes]
        self.probes = tuple(probes)
        for probe in probes:
            probe.observed = weakref.ref(self)
        self.settle()
        if gone:
            _dismiss(gone)

    def settle(self) -> None:
        """Decide whether the start of a call takes the hot path or the slow path."""
        plain = self.is_coroutine or not self.code.co_flags & STEPPING
        while True:
            probes, probe, store = self.probes, None, None
            if plain and len(probes) == 1 and not probes[0].reads:
                probe, store = probes[0], probes[0].store
            hots[id(self.code)] = probe, store, self.parameters, self.is_coroutine
            # A call that ends in another thread may run this method at the same time.
            if probes is self.probes:
                return

    def __del__(self) -> None:
        known = observations.get(id(self.code))
        if known is None or known() not in (self, None):
            return
        del observations[id(self.code)], hots[id(self.code)]
        tool.listen(self.code)
        if not observations:
            tool.release()


def observation_of(code: CodeType) -> Observation:
    """Return the observation of ``code``, and create it if needed."""
    known = observations.get(id(code))
    found = None if known is None else known()
    return Observation(code) if found is None else found


def _dismiss(probes: Collection[Probe]) -> None:
    """Drop the running calls of ``probes``, which no longer record; these calls do not count."""
    dismiss(probes)
    for steps in list(unfinished.values()):
        steps.calls = [call for call in steps.calls if call.probe not in probes]
        if not steps.calls:
            unfinished.pop(steps.id, None)


class Observer:
    """Watches one function through events.

    Args:
        function: the function to watch.
    """

    __slots__ = ("_function", "_observation", "_own")

    def __init__(self, function: FunctionType) -> None:
        self._function = weakref.ref(function)
        self._own: CodeType | None = None
        self._observation: Observation | None = None

    def record(self, probes: Sequence[Probe]) -> bool:
        """Let ``probes`` record the calls from now on; always return true."""
        observation, function = self._observation, self._function()
        if function is None:
            return True
        if observation is None or observation.code is not function.__code__:
            self.leave()
            shared = _references(function) > _ALONE
            self._own = code = function.__code__
            if shared:
                # Other functions may share the code, such as closures made by the same factory.
                code = function.__code__ = code.replace()
            observation = self._observation = observation_of(code)
        observation.record(probes)
        return True

    def leave(self) -> None:
        """Stop watching."""
        observation, self._observation = self._observation, None
        if observation is not None:
            function = self._function()
            if (
                function is not None
                and function.__code__ is observation.code
                and self._own is not None
            ):
                function.__code__ = self._own
            observation.record(())


def _references(function: FunctionType) -> int:
    return sys.getrefcount(function.__code__)


def _alone() -> int:
    """Return the reference count of code that belongs to a single function."""
    namespace: dict[str, Any] = {}
    exec("def function(): pass", namespace)
    return _references(namespace["function"])


_ALONE = _alone()
