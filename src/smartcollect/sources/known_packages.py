"""Named patterns such as ``@sqlalchemy``, for the input and output of well-known packages."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NamedTuple


class Package(NamedTuple):
    """A package with a named pattern.

    Attributes:
        package: the name to import.
        patterns: the functions that send statements, requests or commands.
        what: a noun for their calls.
    """

    package: str
    patterns: tuple[str, ...]
    what: str


KNOWN = {
    "sqlalchemy": Package(
        "sqlalchemy",
        (
            "sqlalchemy.engine.default:DefaultDialect.do_execute",
            "sqlalchemy.engine.default:DefaultDialect.do_execute_no_params",
            "sqlalchemy.engine.default:DefaultDialect.do_executemany",
        ),
        "SQL statements",
    ),
    "django": Package(
        "django",
        (
            "django.db.backends.utils:CursorWrapper.execute",
            "django.db.backends.utils:CursorWrapper.executemany",
        ),
        "SQL statements",
    ),
    "httpx": Package(
        "httpx", ("httpx._client:Client.send", "httpx._client:AsyncClient.send"), "HTTP requests"
    ),
    "requests": Package("requests", ("requests.sessions:Session.send",), "HTTP requests"),
    "redis": Package(
        "redis",
        (
            "redis.client:Redis.execute_command",
            "redis.client:Pipeline.execute",
            "redis.asyncio.client:Redis.execute_command",
            "redis.asyncio.client:Pipeline.execute",
        ),
        "Redis commands",
    ),
}
"""Packages by the name after the ``@``."""
_IMPOSSIBLE = {
    "sqlite3": "its functions are C code; watch their callers, such as @sqlalchemy or your modules"
}


def expanded(text: str) -> tuple[str, ...]:
    """Return the patterns for a named pattern such as ``@redis``; other text is returned as is.

    Raises:
        ValueError: the name is unknown, or its package is not installed.

    Example:
        >>> expanded("shop.database")
        ('shop.database',)
    """
    written = text.strip()
    excludes = written.startswith("!")
    name = written.removeprefix("!")
    if not name.startswith("@"):
        return (text,)
    name = name[1:]
    if name in _IMPOSSIBLE:
        raise ValueError(f"@{name} cannot be watched: {_IMPOSSIBLE[name]}")
    known = KNOWN.get(name)
    if known is None:
        names = ", ".join(f"@{one}" for one in sorted(KNOWN))
        raise ValueError(f"unknown name {text!r}; choose from {names}")
    if not is_installed(known.package):
        raise ValueError(f"@{name} needs {known.package}, which is not installed")
    return tuple(f"!{one}" if excludes else one for one in known.patterns)


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    try:
        return package in sys.modules or find_spec(package) is not None
    except ValueError:  # a module without a spec, such as a module created by hand
        return True
