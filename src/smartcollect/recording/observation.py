"""Which functions are watched by events, through which code, and who records their calls."""

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
"""By the identity of a code object: copies of one are equal. Weak, for the collector's sake: what
records a function may hold what the function holds."""
hots: dict[int, tuple[Any, Any, Parameters, bool]] = {}
"""By the same, what a call that starts needs first: the probe that records it, its store, the
parameters of the function, and whether that is a coroutine. Where more is to do, there is no probe.
"""


class Observation:
    """The calls of one code object.

    Args:
        code: whose calls are seen.

    Attributes:
        code: see above.
        is_coroutine: whether it is that of a coroutine.
        parameters: of the function that it is the code of.
        probes: record the calls, the innermost last.
        followed: observations of what its functions returned: coroutines and generators that are
            the rest of their calls.
    """

    __slots__ = ("__weakref__", "code", "followed", "is_coroutine", "parameters", "probes")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        # It is like any other call until it waits, which most never do.
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
        """Decide whether there is more to do when a call starts than it takes mostly."""
        plain = self.is_coroutine or not self.code.co_flags & STEPPING
        while True:
            probes, probe, store = self.probes, None, None
            if plain and len(probes) == 1 and not probes[0].reads:
                probe, store = probes[0], probes[0].store
            hots[id(self.code)] = probe, store, self.parameters, self.is_coroutine
            # A call that ends in another thread may decide the same meanwhile.
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
    """Return the observation of ``code``, a new one where there is none."""
    known = observations.get(id(code))
    found = None if known is None else known()
    return Observation(code) if found is None else found


def _dismiss(probes: Collection[Probe]) -> None:
    """Forget the running calls of ``probes``, which watch no longer: they do not count."""
    dismiss(probes)
    for steps in list(unfinished.values()):
        steps.calls = [call for call in steps.calls if call.probe not in probes]
        if not steps.calls:
            unfinished.pop(steps.id, None)


class Observer:
    """Watches one function by events.

    Args:
        function: what is watched.
    """

    __slots__ = ("_function", "_observation", "_own")

    def __init__(self, function: FunctionType) -> None:
        self._function = weakref.ref(function)
        self._own: CodeType | None = None
        self._observation: Observation | None = None

    def record(self, probes: Sequence[Probe]) -> bool:
        """Let ``probes`` record the calls from now on; that always works."""
        observation, function = self._observation, self._function()
        if function is None:
            return True
        if observation is None or observation.code is not function.__code__:
            self.leave()
            shared = _references(function) > _ALONE
            self._own = code = function.__code__
            if shared:
                # Other functions run the same code or may do so, such as those of a factory.
                code = function.__code__ = code.replace()
            observation = self._observation = observation_of(code)
        observation.record(probes)
        return True

    def leave(self) -> None:
        """Watch no longer."""
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
    """Return how many references there are to code that nothing but a function has."""
    namespace: dict[str, Any] = {}
    exec("def function(): pass", namespace)
    return _references(namespace["function"])


_ALONE = _alone()
