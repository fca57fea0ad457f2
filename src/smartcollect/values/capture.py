"""Capture of the arguments, results and exceptions of one handler's calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .containment import is_foreign
from .failure import Failure, failure
from .parameters import Parameters, receiver_text
from .redaction import REDACTED, secret_positions
from .references import Reference, made_reference, reference_to
from .snapshot import CONTAINED, UNKNOWN, Snapshot, small

_MAX_PUBLIC = 1_000


Bound = tuple[tuple[Any, ...], dict[str, Any], Sequence[Reference]]
"""Positional and keyword arguments, and references to the objects shown only by type."""


class Raw(dict[str, Any]):
    """Keyword arguments of a call whose objects are kept (``serialize=False``)."""


_NO_KEYWORDS: dict[str, Any] = {}
_NO_RAW_KEYWORDS = Raw()


class ValueCapture:
    """Captures the values of one handler's calls.

    Replaced as a whole when settings change. Otherwise a call that began before the change could
    restore outdated data about secret parameters.

    Args:
        snapshot: turns values into plain data.
        secret: a function that recognizes secret names.
        serialize: whether to turn values into plain data.
        subject: a function that returns the registered function, for the names of its parameters.

    Attributes:
        simple: whether small positional arguments can be kept as they are.
        nothing: the value for calls without keyword arguments.
    """

    __slots__ = (
        "_public",
        "_secret",
        "_secret_from",
        "_secrets",
        "_subject",
        "nothing",
        "serialize",
        "simple",
        "snapshot",
    )

    def __init__(
        self,
        snapshot: Snapshot,
        secret: Callable[[str], bool],
        serialize: bool,
        subject: Callable[[], Any],
    ) -> None:
        self.snapshot = snapshot
        self.serialize = serialize
        self.nothing = _NO_KEYWORDS if serialize else _NO_RAW_KEYWORDS
        self.simple = False
        self._secret = secret
        self._subject = subject
        # Names of keyword arguments that are not secret.
        self._public: set[str] = set()
        # Computed at the first call, because many registered handlers are never called.
        self._secrets: frozenset[int] | None = None
        self._secret_from: int | None = None

    def arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], receiver: bool = False
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the captured arguments of a call.

        Args:
            args, kwargs: the arguments as passed or as bound.
            receiver: whether the first argument is ``self`` or ``cls``, which is shown by class.
        """
        if receiver:
            args = (receiver_text(args[0]), *args[1:])
        try:
            if self._secrets is None:
                secrets, self._secret_from = secret_positions(self._subject(), self._secret)
                open_ = not secrets and self._secret_from is None
                self._secrets = secrets
                self.simple = open_ and self.snapshot.by_default
            if kwargs and len(self._public) < _MAX_PUBLIC:
                self._public.update(name for name in kwargs if not self._secret(name))
            if self._secrets or self._secret_from is not None:
                start = len(args) if self._secret_from is None else self._secret_from
                args = tuple(
                    REDACTED if index in self._secrets or index >= start else value
                    for index, value in enumerate(args)
                )
            if self.serialize:
                kept = self.snapshot.keywords(kwargs) if kwargs else self.nothing
                return self.snapshot.arguments(args), kept
            secret = self._secret
            return args, Raw({name: REDACTED if secret(name) else kwargs[name] for name in kwargs})
        except CONTAINED as error:
            if is_foreign(error):
                raise
            return (self.snapshot.note_failure(error),), self.nothing

    def small(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the same as `arguments`, for ``args`` that are all small scalars."""
        if self.simple and self._public.issuperset(kwargs) and small(kwargs.values()):
            return args, kwargs if self.serialize else Raw(kwargs)
        return self.arguments(args, kwargs)

    def bound(self, parameters: Parameters, values: Mapping[str, Any], nested: bool) -> Bound:
        """Return the captured arguments of a call that starts, as bound to parameters.

        Args:
            parameters: the parameters of the function.
            values: the local variables of its frame.
            nested: whether the call may be one of several inside another call.

        Returns:
            The captured positional and keyword arguments, and `references`.
        """
        args = () if parameters.read is None else parameters.read(values)
        kwargs = self.nothing
        if parameters.rest is not None:
            args, kwargs = parameters.rest(values, args)
        if type(values) is dict:
            # Before Python 3.13 the frame keeps this dict, which keeps the values alive.
            values.clear()
        if self.simple and not kwargs and not self.snapshot.calls_repr:
            return self._shown(args, parameters.receiver, nested)
        if not parameters.receiver and small(args):
            kept, keywords = self.small(args, kwargs)
        else:
            kept, keywords = self.arguments(args, kwargs, parameters.receiver)
        if not nested or (kept is args and not kwargs):
            return kept, keywords, ()
        return kept, keywords, self.references(args, kwargs, kept, keywords, parameters.receiver)

    def _shown(self, args: tuple[Any, ...], receiver: bool, nested: bool) -> Bound:
        """Return the same as `bound` if objects are shown by type, in a third of the time."""
        kept: list[Any] = []
        references: list[Reference] = []
        snapshot = self.snapshot
        for value in args:
            if receiver and not kept:
                kept.append(receiver_text(value))
                if nested:
                    references.append(reference_to(value))
                continue
            entry = snapshot.shown_by_type(type(value))
            if entry is not None:
                kept.append(entry.text)
                if nested:
                    references.append(made_reference(value) if entry.referable else None)
            elif small((value,)):
                kept.append(value)
            else:
                kept.append(shown := snapshot.value(value))
                if nested and type(shown) is str and shown is not value:
                    references.append(reference_to(value))
        return tuple(kept), self.nothing, references

    def references(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        kept: tuple[Any, ...],
        keywords: dict[str, Any],
        receiver: bool = False,
    ) -> list[Reference]:
        """Return references to the arguments of which only the type was captured.

        Args:
            args, kwargs: the arguments as passed.
            kept, keywords: the captured arguments.
            receiver: whether the first argument is ``self`` or ``cls``.
        """
        if self.snapshot.calls_repr or not self.serialize:
            return [reference_to(args[0])] if receiver else []
        values = (*args, *kwargs.values())
        return [
            reference_to(value)
            for value, text in zip(values, (*kept, *keywords.values()), strict=False)
            if type(text) is str and value is not text
        ]

    def result(self, result: Any) -> Any:
        """Return the captured result of a call."""
        if not self.serialize:
            return result
        try:
            return self.snapshot.arguments((result,))[0]
        except CONTAINED as error:
            if is_foreign(error):
                raise
            return self.snapshot.note_failure(error)

    def failure(self, error: BaseException) -> Failure:
        """Return the captured exception that ended a call."""
        try:
            return failure(error, self.snapshot)
        except CONTAINED as own:
            if is_foreign(own):
                raise
            return Failure(UNKNOWN, self.snapshot.note_failure(own), ())
