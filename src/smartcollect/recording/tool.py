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
"""The tool ids to try, in order. Debuggers use 0, coverage 1, and cProfile 2."""
NONE_FREE = (
    "smartcollect: other tools use all tool ids of sys.monitoring that it can take (4, 3, 5, 2), "
    "so it replaces the code of watched functions, as on Python 3.11; see the page 'Watching is "
    "invisible' in the documentation for what that changes"
)
STEPS = ("PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME")
"""Events that can be turned on for single code objects."""
EVERYWHERE = ("PY_UNWIND", "PY_THROW")
"""Events that can only be turned on for all code."""

_identity: int | None = None
_callbacks: Mapping[str, Callable[..., object]] = {}
_warned = False


def acquire(callbacks: Mapping[str, Callable[..., object]]) -> bool:
    """Take a tool id and register ``callbacks``, by the names of their events.

    Warns the first time that no tool id is free.

    Returns:
        Whether smartcollect has a tool id.
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
    """Turn all events off and give the tool id back."""
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
    """Turn on ``events`` for ``code``, and turn off all other events of `STEPS`."""
    if events and _identity is None:
        # After `acquire`, the garbage collector freed the last observation and released the tool.
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
"""The code that runs when a module is imported for the first time."""
