"""Which code objects are seen by events, and who records what they do."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence
from inspect import CO_COROUTINE
from types import CodeType
from typing import Any

from ..values.parameters import Parameters
from . import tool
from .nesting import dismiss
from .probe import Probe
from .steps import STEPPING, unfinished

observations: dict[int, weakref.ref[Observation]] = {}
"""By the identity of a code object: copies of one are equal. Weak, for the collector's sake: what
records a function may hold what the function holds."""


class Observation:
    """The calls of one code object.

    Args:
        code: whose calls are seen.

    Attributes:
        code: see above.
        is_coroutine: whether it is that of a coroutine.
        parameters: of the function that it is the code of.
        probes: record the calls, the innermost last.
        hot: what a call that starts needs first: the probe that records it, its store and the
            parameters. Where more is to do, there is no probe.
        followed: observations of what its functions returned: coroutines and generators that are
            the rest of their calls.
    """

    __slots__ = ("__weakref__", "code", "followed", "hot", "is_coroutine", "parameters", "probes")

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
        if len(probes) == 1 and (self.is_coroutine or not self.code.co_flags & STEPPING):
            self.hot: tuple[Any, ...] = (probes[0], probes[0].store, self.parameters)
        else:
            self.hot = (None, None, self.parameters)
        if gone:
            _dismiss(gone)

    def __del__(self) -> None:
        known = observations.get(id(self.code))
        if known is None or known() not in (self, None):
            return
        del observations[id(self.code)]
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
