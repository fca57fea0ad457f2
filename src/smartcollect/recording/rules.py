"""The current settings of a log, and the capture of values that follows from them."""

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
    """The current settings of a log, which may change while it records.

    Args:
        settings: the initial settings.

    Attributes:
        settings: the current settings.
        redactor: recognizes secret names.
        snapshot: turns values into plain data, and counts failures.
    """

    def __init__(self, settings: LogSettings) -> None:
        # Also kept for handlers that are no longer watched: most logs are read afterwards.
        self._parameters: dict[HandlerName, tuple[tuple[str, ...], ...]] = {}
        self.snapshot = Snapshot()
        self.change(settings)

    def change(self, settings: LogSettings) -> None:
        """Apply new settings."""
        self.settings = settings
        self.redactor = Redactor(settings.redact)
        failures = self.snapshot.failures
        self.snapshot = self.new_snapshot()
        self.snapshot.failures = failures

    def new_snapshot(self) -> Snapshot:
        """Return a new `Snapshot` with the current settings and its own count of failures."""
        settings = self.settings
        return Snapshot(settings.serializers, self.redactor, settings.objects, suspended)

    def learn(self, name: HandlerName, function: Any) -> None:
        """Note the parameter names of ``function``, the handler ``name``."""
        if len(self._parameters) >= MAX_HANDLERS:
            return
        try:
            self._parameters[name] = parameter_names(function)
        except CONTAINED as error:
            if is_foreign(error):
                raise
            self.snapshot.note_failure(error)

    def named(self, call: Call) -> Call:
        """Return ``call`` with its positional arguments as keywords, if all names are known."""
        return Call.of(self.named_row(call))

    def named_row(self, row: Row) -> Row:
        """Return the same for a call that is a plain tuple; see `named`."""
        args, kwargs = row[ARGS], row[KWARGS]
        known = self._parameters.get(row[NAME], ())
        if len(args) == 1 and type(only := args[0]) is str and only.startswith(_UNKNOWN):
            return row  # the text stands for all arguments
        # A decorated function has several codes. Use the first that names all the arguments.
        names = next((one for one in known if len(one) >= len(args)), ())
        by_name = dict(zip(names, args, strict=False))
        if not by_name or not kwargs.keys().isdisjoint(by_name):
            return row
        return (*row[:ARGS], (), {**by_name, **kwargs}, *row[KWARGS + 1 :])


def serialized(row: Row, snapshot: Snapshot) -> Row:
    """Return the call with plain data in place of objects, if the log keeps objects."""
    if type(row[KWARGS]) is not Raw:
        return row
    call = Call.of(row)
    (result,) = snapshot.arguments((call.result,))
    args, kwargs = snapshot.arguments(call.args), snapshot.keywords(call.kwargs)
    return call._replace(args=args, kwargs=kwargs, result=result)
