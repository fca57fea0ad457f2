"""The flight recorder for applications whose functions are registered by name in a smartswitch."""

from .calllog import CallLog, collecting
from .names import HandlerName
from .plugin import CollectPlugin
from .profile import Profile, merge
from .redaction import SECRET_NAMES
from .stats import HandlerStats, Statistics, Stats

__all__ = [
    "SECRET_NAMES",
    "CallLog",
    "CollectPlugin",
    "HandlerName",
    "HandlerStats",
    "Profile",
    "Statistics",
    "Stats",
    "collecting",
    "merge",
]
