"""How one log records: its settings, and what they make of values."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakValueDictionary

from ..names import HandlerName
from ..storage.rows import KWARGS, Call, Row
from ..values.capture import Raw
from ..values.redaction import Redactor
from ..values.snapshot import Snapshot
from .nesting import suspended
from .settings import LogSettings


class Named(Protocol):
    """Knows what the arguments of a handler are called."""

    def parameters(self, count: int, /) -> tuple[str, ...]: ...


class Rules:
    """The settings of a log in force, which may change while it records.

    Args:
        settings: those to begin with.

    Attributes:
        settings: those in force.
        redactor: tells secret names.
        snapshot: makes plain data of values; it counts those that failed.
        handlers: what is known of the arguments of each handler that is watched now.
    """

    def __init__(self, settings: LogSettings) -> None:
        self.handlers: WeakValueDictionary[HandlerName, Named] = WeakValueDictionary()
        self.snapshot = Snapshot()
        self.change(settings)

    def change(self, settings: LogSettings) -> None:
        """Put other settings in force."""
        self.settings = settings
        self.redactor = Redactor(settings.redact)
        failures = self.snapshot.failures
        self.snapshot = self.new_snapshot()
        self.snapshot.failures = failures

    def new_snapshot(self) -> Snapshot:
        """Return a snapshot of the same rules that counts failures of its own."""
        settings = self.settings
        return Snapshot(settings.serializers, self.redactor, settings.objects, suspended)

    def named(self, call: Call) -> Call:
        """Return ``call`` with all arguments by name, where the names are known: for people."""
        handler = self.handlers.get(call.name)
        names = () if handler is None else handler.parameters(len(call.args))
        if not names or not call.kwargs.keys().isdisjoint(names):
            return call
        by_name = dict(zip(names, call.args, strict=True))
        return call._replace(args=(), kwargs={**by_name, **call.kwargs})


def serialized(row: Row, snapshot: Snapshot) -> Row:
    """Return the call with plain data in place of objects, where the log keeps these."""
    if type(row[KWARGS]) is not Raw:
        return row
    call = Call.of(row)
    (result,) = snapshot.arguments((call.result,))
    args, kwargs = snapshot.arguments(call.args), snapshot.keywords(call.kwargs)
    return call._replace(args=args, kwargs=kwargs, result=result)
