"""How one log records: its settings, and what they make of values."""

from __future__ import annotations

from typing import Any

from ..names import HandlerName
from ..storage.rows import ARGS, KWARGS, NAME, Call, Row
from ..storage.tally import MAX_HANDLERS
from ..values.capture import Raw
from ..values.containment import is_foreign
from ..values.functions import parameter_names
from ..values.redaction import Redactor
from ..values.snapshot import CONTAINED, UNKNOWN, Snapshot
from .nesting import suspended
from .settings import LogSettings

_UNKNOWN = UNKNOWN.rstrip(">")


class Rules:
    """The settings of a log in force, which may change while it records.

    Args:
        settings: those to begin with.

    Attributes:
        settings: those in force.
        redactor: tells secret names.
        snapshot: makes plain data of values; it counts those that failed.
    """

    def __init__(self, settings: LogSettings) -> None:
        # Of handlers that nobody watches any more too: most logs are asked afterwards.
        self._parameters: dict[HandlerName, tuple[tuple[str, ...], ...]] = {}
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

    def learn(self, name: HandlerName, function: Any) -> None:
        """Note what the handler ``name``, which is ``function``, calls its arguments."""
        if len(self._parameters) >= MAX_HANDLERS:
            return
        try:
            self._parameters[name] = parameter_names(function)
        except CONTAINED as error:
            if is_foreign(error):
                raise
            self.snapshot.note_failure(error)

    def named(self, call: Call) -> Call:
        """Return ``call`` with all arguments by name, where all names are known: for people."""
        return Call.of(self.named_row(call))

    def named_row(self, row: Row) -> Row:
        """Return the same of a call that is a plain tuple."""
        args, kwargs = row[ARGS], row[KWARGS]
        known = self._parameters.get(row[NAME], ())
        if len(args) == 1 and type(only := args[0]) is str and only.startswith(_UNKNOWN):
            return row  # it stands for all arguments
        # Of a decorated function, the first one that names them all: ``*args`` names none.
        names = next((one for one in known if len(one) >= len(args)), ())
        by_name = dict(zip(names, args, strict=False))
        if not by_name or not kwargs.keys().isdisjoint(by_name):
            return row
        return (*row[:ARGS], (), {**by_name, **kwargs}, *row[KWARGS + 1 :])


def serialized(row: Row, snapshot: Snapshot) -> Row:
    """Return the call with plain data in place of objects, where the log keeps these."""
    if type(row[KWARGS]) is not Raw:
        return row
    call = Call.of(row)
    (result,) = snapshot.arguments((call.result,))
    args, kwargs = snapshot.arguments(call.args), snapshot.keywords(call.kwargs)
    return call._replace(args=args, kwargs=kwargs, result=result)
