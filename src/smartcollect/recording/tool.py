"""Smartcollect as a tool of `sys.monitoring` (PEP 669), on Python 3.12 and newer."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from . import nesting

_monitoring: Any = getattr(sys, "monitoring", None)
IDENTITIES = (4, 3, 5, 2)
"""Those that are tried, in this order: debuggers have 0, coverage has 1, cProfile has 2."""
NONE_FREE = (
    "smartcollect: other tools use all identities of sys.monitoring that it can take (4, 3, 5, 2), "
    "so watched functions run other code in place of their own, as on Python 3.11; the page "
    "'Watching is invisible' of the documentation lists what that changes"
)
STEPS = ("PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME")
"""Events that are sent for single code objects."""
EVERYWHERE = ("PY_UNWIND", "PY_THROW")
"""Events that are sent for all code or for none."""

_identity: int | None = None
_callbacks: Mapping[str, Callable[..., object]] = {}
_warned = False


def acquire(callbacks: Mapping[str, Callable[..., object]]) -> bool:
    """Have ``callbacks`` called, by the names of their events; tell whether that works.

    The first time that it does not, warn.
    """
    global _identity, _warned, _callbacks
    if _monitoring is None:
        return False
    _callbacks = callbacks
    if _identity is not None:
        return True
    for identity in IDENTITIES:
        if _monitoring.get_tool(identity) is None:
            _monitoring.use_tool_id(identity, "smartcollect")
            _identity = identity
            for event, callback in callbacks.items():
                _monitoring.register_callback(identity, _flag(event), callback)
            _monitoring.set_events(identity, _flag(*EVERYWHERE))
            if IMPORT is not None:
                _monitoring.set_local_events(identity, IMPORT, _flag("PY_RETURN"))
            nesting.notice_greenlets()
            return True
    if not _warned:
        _warned = True
        warnings.warn(NONE_FREE, RuntimeWarning, stacklevel=2)
    return False


def release() -> None:
    """Leave no trace."""
    global _identity
    identity, _identity = _identity, None
    if identity is None:
        return
    _monitoring.set_events(identity, 0)
    if IMPORT is not None:
        _monitoring.set_local_events(identity, IMPORT, 0)
    for event in (*STEPS, *EVERYWHERE):
        _monitoring.register_callback(identity, _flag(event), None)
    _monitoring.free_tool_id(identity)


def listen(code: CodeType, *events: str) -> None:
    """Have these events sent for ``code`` from now on, and no others of `STEPS`."""
    if events and _identity is None:
        # The collector has just found the last code that was listened to, after `acquire`.
        acquire(_callbacks)
    if _identity is not None:
        _monitoring.set_local_events(_identity, code, _flag(*events))


def _flag(*events: str) -> int:
    return sum(getattr(_monitoring.events, event) for event in events)


def _import_code() -> CodeType | None:
    bootstrap = sys.modules.get("_frozen_importlib")
    code = getattr(getattr(bootstrap, "_find_and_load", None), "__code__", None)
    return code if isinstance(code, CodeType) else None


IMPORT = _import_code()
"""Code that runs when a module is imported for the first time."""
