"""Redaction of secrets: names of parameters and keys, and passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from inspect import CO_VARARGS
from typing import Any

from .functions import codes_of

REDACTED = "***"
SECRET_NAMES = (
    "access_key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "card_number",
    "cookie",
    "credential",
    "credit_card",
    "csrf",
    "cvv",
    "encryption_key",
    "jwt",
    "otp",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "secret",
    "secret_key",
    "session_id",
    "session_key",
    "sessionid",
    "signing_key",
    "ssn",
    "token",
)
"""The parameter names that are redacted by default, also in the plural; see ``redact=``."""


class Redactor:
    """Recognizes secret names.

    A name is secret if it contains the words of one of ``names`` in sequence, with or without an s
    at the end. ``new_password`` and ``userApiKeys`` are secret, ``tokenize`` is not.

    Args:
        names: the secret names, in snake_case.
    """

    _WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
    _REMEMBERED = 10_000
    _LONGEST = 100
    _READ = 500

    def __init__(self, names: Iterable[str] = SECRET_NAMES) -> None:
        self.names = tuple(names)
        self._patterns = tuple(
            self._words(form) for name in self.names for form in (name, f"{name}s")
        )
        self._known: dict[str, bool] = {}

    @classmethod
    def _words(cls, name: str) -> str:
        return f"_{'_'.join(cls._WORDS.findall(name)).lower()}_"

    def __call__(self, name: str) -> bool:
        """Return whether ``name`` is secret."""
        if type(name) is not str:
            name = str.__getitem__(name, slice(None))
        known = self._known.get(name)
        if known is None:
            words = self._words(name[: self._READ])
            known = any(pattern in words for pattern in self._patterns)
            if len(self._known) < self._REMEMBERED and len(name) <= self._LONGEST:
                self._known[name] = known
        return known


_USER = re.compile(r"(://[^:@/?#\s]*):\S*@")
_QUERY = re.compile(r"([?&]([^=&\s]+)=)[^&#\s]+")
_redactor = Redactor()


def without_secrets(text: str) -> str:
    """Replace passwords and other secrets of URLs in ``text`` by ``***``.

    Example:
        >>> without_secrets("--db=postgresql://ada:secret@db/runs?sslpassword=secret")
        '--db=postgresql://ada:***@db/runs?sslpassword=***'
    """
    if "://" not in text:
        return text

    def hidden(match: re.Match[str]) -> str:
        key = match[2]
        # The parameter `sslpassword` of libpq is one word.
        is_secret = _redactor(key) or key.lower().endswith("password")
        return f"{match[1]}{REDACTED}" if is_secret else match[0]

    return _QUERY.sub(hidden, _USER.sub(rf"\1:{REDACTED}@", text))


def secret_positions(
    function: Any, secret: Callable[[str], bool]
) -> tuple[frozenset[int], int | None]:
    """Return the positional arguments of ``function`` with a secret parameter name.

    Returns:
        The secret positions, and the position from which ``*args`` are secret or ``None``.
    """
    positions: set[int] = set()
    starts: list[int] = []
    for code, bound in codes_of(function):
        count, names = code.co_argcount, code.co_varnames
        positions.update(index - bound for index in range(bound, count) if secret(names[index]))
        if code.co_flags & CO_VARARGS and secret(names[count + code.co_kwonlyargcount]):
            starts.append(max(0, count - bound))
    return frozenset(positions), min(starts, default=None)
