"""A flight recorder for function calls in applications and test suites.

Public names are imported on first use, so that reading report files does not require smartswitch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .database.history import History as History
    from .database.history import history as history
    from .log import CallLog, collecting
    from .names import HandlerName
    from .plugin import CollectPlugin
    from .profiles.merge import merge
    from .profiles.profile import Profile
    from .reports.stats import Stats
    from .sinks.batch import Batch, Delivery
    from .sinks.subscription import Sink, Subscription
    from .storage.fields import Statistics
    from .storage.rows import Entry, TracedEntry
    from .storage.statistics import HandlerStats
    from .values.redaction import SECRET_NAMES

_HOMES = {
    "Batch": "sinks.batch",
    "CallLog": "log",
    "CollectPlugin": "plugin",
    "Delivery": "sinks.batch",
    "Entry": "storage.rows",
    "HandlerName": "names",
    "HandlerStats": "storage.statistics",
    "History": "database.history",
    "Profile": "profiles.profile",
    "SECRET_NAMES": "values.redaction",
    "Sink": "sinks.subscription",
    "Statistics": "storage.fields",
    "Stats": "reports.stats",
    "Subscription": "sinks.subscription",
    "TracedEntry": "storage.rows",
    "collecting": "log",
    "history": "database.history",
    "merge": "profiles.merge",
}
# Without `history` and `History`: `import *` must not require SQLAlchemy.
__all__ = [
    "SECRET_NAMES",
    "Batch",
    "CallLog",
    "CollectPlugin",
    "Delivery",
    "Entry",
    "HandlerName",
    "HandlerStats",
    "Profile",
    "Sink",
    "Statistics",
    "Stats",
    "Subscription",
    "TracedEntry",
    "collecting",
    "merge",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register() -> None:
    from .registration import register

    register()


_register()
