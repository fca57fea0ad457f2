"""Patterns for the functions that do the talking in well-known packages: ``@sqlalchemy``."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NamedTuple


class Package(NamedTuple):
    """A package that has a name of its own among the patterns.

    Attributes:
        package: what is imported.
        patterns: the functions that talk to the other side.
        what: what their calls are.
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
"""By the name after the ``@``."""
_IMPOSSIBLE = {
    "sqlite3": "its functions are C code, which nothing can watch; watch what calls them, such as "
    "@sqlalchemy or a module of yours"
}


def expanded(text: str) -> tuple[str, ...]:
    """Return the patterns that ``text`` stands for: itself, unless it begins with ``@``.

    Raises:
        ValueError: the name is not known, or its package is not installed.

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
    """Tell whether a package can be imported, without doing so."""
    try:
        return package in sys.modules or find_spec(package) is not None
    except ValueError:  # a module without a specification, such as one that was made by hand
        return True
